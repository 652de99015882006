"""Stratified splits by a fixed seed.

They are the same on every machine and with every version of NumPy.
"""

from __future__ import annotations

import numpy as np

from spaces.errors import UserError
from trainables.data.dataset import Dataset, Split

SPLIT_SEED = 0  # results are comparable only while it stays the same


def split_off_validation(
    train: Split, test: Split, *, validation: int, classes: tuple[str, ...], source: str, name: str
) -> Dataset:
    """Split the training images into training and validation."""
    size, images = _validation_size(validation, len(train.labels)), len(train.labels)
    rest, val = stratified_split(train.labels, size, SPLIT_SEED)
    return Dataset(
        train=Split(train.images[rest], train.labels[rest]),
        val=Split(train.images[val], train.labels[val]),
        test=test,
        classes=classes,
        source=source,
        split=f"{size:,} of {images:,} training images are the validation set, stratified, seed {SPLIT_SEED}",
        name=name,
    )


def split_three_ways(
    images: Split, validation: int, test: int, *, classes: tuple[str, ...], source: str, name: str
) -> Dataset:
    """Split images into test, validation and training.

    The test images are drawn first, so that they do not depend on the number of validation images.
    """
    rest, test_indices = stratified_split(images.labels, test, SPLIT_SEED)
    train_part, val_part = stratified_split(images.labels[rest], validation, SPLIT_SEED + 1)
    indices = (rest[train_part], rest[val_part], test_indices)
    train, val, test_split = (Split(images.images[i], images.labels[i]) for i in indices)
    count = len(images.labels)
    split = f"{validation:,} validation and {test:,} test images of {count:,}, stratified, seed {SPLIT_SEED}"
    return Dataset(train, val, test_split, classes, source, split, name)


def stratified_split(labels: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return shuffled indices of the remaining images and of `size` images.

    Both parts have the class shares of all images, to within one image.
    """
    # Raw bits of PCG64 are the only stream that NumPy promises never to change (NEP 19); `permutation` may change.
    order = np.argsort(np.random.PCG64(seed).random_raw(len(labels)), kind="stable")
    shuffled = labels[order]
    drawn = np.zeros(len(labels), dtype=bool)
    for label, count in enumerate(proportional_counts(np.bincount(labels), size)):
        drawn[np.flatnonzero(shuffled == label)[:count]] = True
    return order[~drawn], order[drawn]


def proportional_counts(counts: np.ndarray, size: int) -> np.ndarray:
    """Divide `size` among classes in proportion to their counts, by largest remainders."""
    quotas, remainders = np.divmod(counts * size, counts.sum())
    left = size - quotas.sum()
    quotas[np.argsort(-remainders, kind="stable")[:left]] += 1
    return quotas


def _validation_size(validation: object, images: int) -> int:
    """Check the knob `validation`; raise UserError if a part would be empty."""
    if type(validation) is int and 0 < validation < images:
        return validation
    raise UserError(f"data.validation: {validation!r}: expected a whole number of images from 1 to {images - 1:,}")
