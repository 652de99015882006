"""scikit-learn's 1,797 handwritten digits of 8 by 8 pixels, for fast tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainables.data.dataset import Dataset, Split
from trainables.data.groups import Groups, group_classes
from trainables.data.packaged_table import read_packaged_table
from trainables.data.stratified_split import split_three_ways
from trainables.declare import declare

VALIDATION_IMAGES, TEST_IMAGES = 300, 400


@declare(paper='Alpaydin & Kaynak (1998), "Optical recognition of handwritten digits", UCI machine learning repository')
def digits(root: Path, download: bool, *, groups: Groups = None) -> Dataset:
    """1,797 handwritten digits, 8 by 8 pixels.

    1,097 training, 300 validation and 400 test images, stratified. Shipped with scikit-learn; no data root is needed.

    Args:
        groups: Superclasses, each a list of class names, learned instead of the classes.
    """
    # The file itself is read, because scikit-learn takes a second to import. A row has 64 pixels, then the label.
    table = read_packaged_table("sklearn", "datasets/data/digits.csv.gz", (1797, 65))
    images = np.rint(table[:, :-1] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)  # 17 gray levels, 0 to 16
    data = split_three_ways(
        Split(images, table[:, -1].astype(np.int64)),
        VALIDATION_IMAGES,
        TEST_IMAGES,
        classes=tuple("0123456789"),
        source="The 1,797 8 by 8 digits shipped by the package scikit-learn, gray levels 0 to 16 scaled to 0 to 255",
        name="digits",
    )
    return group_classes(data, groups)
