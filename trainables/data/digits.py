"""scikit-learn's 1,797 handwritten digits of 8 by 8 pixels (Alpaydin and Kaynak, UCI, 1998): for fast tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainables.data.cut import divide
from trainables.data.dataset import Dataset, Split
from trainables.data.groups import Groups, grouped


def digits(root: Path, download: bool, *, groups: Groups = None) -> Dataset:
    """1,097 training, 300 validation and 400 test images, stratified; shipped with scikit-learn, needs no data root."""
    from sklearn.datasets import load_digits  # a second to import, and only this data set needs it

    pixels, labels = load_digits(return_X_y=True)
    images = np.rint(pixels * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)  # 17 grey levels, 0 to 16
    data = divide(
        Split(images, np.asarray(labels, np.int64)),
        300,
        400,
        classes=tuple("0123456789"),
        source="The 1,797 8 by 8 digits shipped by the package scikit-learn, grey levels 0 to 16 scaled to 0 to 255",
        name="digits",
    )
    return grouped(data, groups)
