"""scikit-learn's 1,797 handwritten digits of 8 by 8 pixels (Alpaydin and Kaynak, UCI, 1998): for fast tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainables.data.dataset import Dataset, Split
from trainables.data.groups import Groups, group_classes
from trainables.data.packaged_table import read_packaged_table
from trainables.data.stratified_split import split_three_ways


def digits(root: Path, download: bool, *, groups: Groups = None) -> Dataset:
    """1,097 training, 300 validation and 400 test images, stratified; shipped with scikit-learn, needs no data root."""
    # The file itself, as scikit-learn's own function takes a second to import; 64 pixels and the label last.
    table = read_packaged_table("sklearn", "datasets/data/digits.csv.gz", (1797, 65))
    images = np.rint(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)  # 17 grey levels, 0 to 16
    data = split_three_ways(
        Split(images, table[:, -1].astype(np.int64)),
        300,
        400,
        classes=tuple("0123456789"),
        source="The 1,797 8 by 8 digits shipped by the package scikit-learn, grey levels 0 to 16 scaled to 0 to 255",
        name="digits",
    )
    return group_classes(data, groups)
