"""Stratified splits by a fixed seed.

They are the same on every machine and with every version of NumPy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from spaces.errors import UserError
from trainables.data.dataset import Dataset, Split

SPLIT_SEED = 0  # results are comparable only while it stays the same


class ThreeParts(NamedTuple):
    """Indices of the images of each split, and how they were drawn."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    how: str


def split_off_validation(
    train: Split, test: Split, *, validation: int, classes: tuple[str, ...], source: str, name: str
) -> Dataset:
    """Split the training images into training and validation."""
    rest, val, how = draw_validation(train.labels, validation)
    return Dataset(
        train=Split(train.images[rest], train.labels[rest]),
        val=Split(train.images[val], train.labels[val]),
        test=test,
        classes=classes,
        source=source,
        split=how,
        name=name,
    )


def split_three_ways(
    images: Split, validation: int, test: int, *, classes: tuple[str, ...], source: str, name: str
) -> Dataset:
    """Split images into test, validation and training."""
    *parts, how = draw_three_parts(images.labels, validation, test)
    train, val, test_split = (Split(images.images[i], images.labels[i]) for i in parts)
    return Dataset(train, val, test_split, classes, source, how, name)


def draw_validation(labels: np.ndarray, validation: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Return indices of training and validation images, and a description."""
    size, images = _validation_size(validation, len(labels)), len(labels)
    how = f"{size:,} of {images:,} training images are the validation set, stratified, seed {SPLIT_SEED}"
    return *stratified_split(labels, size, SPLIT_SEED), how


def draw_three_parts(labels: np.ndarray, validation: int, test: int) -> ThreeParts:
    """Draw test, validation and training images.

    The test images are drawn first, so that they do not depend on the number of validation images.
    """
    rest, test_indices = stratified_split(labels, test, SPLIT_SEED)
    train_part, val_part = stratified_split(labels[rest], validation, SPLIT_SEED + 1)
    how = f"{validation:,} validation and {test:,} test images of {len(labels):,}, stratified, seed {SPLIT_SEED}"
    return ThreeParts(rest[train_part], rest[val_part], test_indices, how)


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
