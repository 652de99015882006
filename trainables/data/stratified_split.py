"""Validation and test sets cut by a fixed seed, class by class, the same for ever."""

from __future__ import annotations

import numpy as np

from spaces.errors import UserError
from trainables.data.dataset import Dataset, Split

SPLIT_SEED = 0  # of every cut; results are comparable only while it stays


def split_off_validation(
    train: Split, test: Split, *, validation: int, classes: tuple[str, ...], source: str, name: str
) -> Dataset:
    """A data set whose validation is cut from its training images, stratified, by the fixed seed."""
    size = _validation_size(validation, len(train.labels))
    rest, val = stratified_split(train.labels, size, SPLIT_SEED)
    return Dataset(
        train=Split(train.images[rest], train.labels[rest]),
        val=Split(train.images[val], train.labels[val]),
        test=test,
        classes=classes,
        source=source,
        split=f"{size:,} of {len(train.labels):,} training images are the validation set, stratified, seed {SPLIT_SEED}",
        name=name,
    )


def split_three_ways(
    whole: Split, validation: int, test: int, *, classes: tuple[str, ...], source: str, name: str
) -> Dataset:
    """A data set from images that come without a split: test is cut off first, then validation, both stratified."""
    rest, tested = stratified_split(whole.labels, test, SPLIT_SEED)
    kept, validated = stratified_split(whole.labels[rest], validation, SPLIT_SEED + 1)
    train, val, test_split = (Split(whole.images[i], whole.labels[i]) for i in (rest[kept], rest[validated], tested))
    split = (
        f"{validation:,} validation and {test:,} test images of {len(whole.labels):,}, stratified, seed {SPLIT_SEED}"
    )
    return Dataset(train, val, test_split, classes, source, split, name)


def stratified_split(labels: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rest and of the `size` images cut off, both shuffled; class shares hold to within one image."""
    # Raw bits of PCG64 are the only stream that numpy promises never to change (NEP 19); `permutation` is not.
    order = np.argsort(np.random.PCG64(seed).random_raw(len(labels)), kind="stable")
    shuffled = labels[order]
    taken = np.zeros(len(labels), dtype=bool)
    for label, n in enumerate(proportional_counts(np.bincount(labels), size)):
        taken[np.flatnonzero(shuffled == label)[:n]] = True
    return order[~taken], order[taken]


def proportional_counts(counts: np.ndarray, size: int) -> np.ndarray:
    """How many of `size` images each class gives, in proportion to its count, by largest remainders."""
    whole, remainder = np.divmod(counts * size, counts.sum())
    left = size - whole.sum()
    whole[np.argsort(-remainder, kind="stable")[:left]] += 1
    return whole


def _validation_size(validation: object, images: int) -> int:
    """The knob `validation` as a number of images; a UserError where it leaves nothing to train or to validate on."""
    if type(validation) is int and 0 < validation < images:
        return validation
    raise UserError(f"data.validation: {validation!r}: expected a whole number of images from 1 to {images - 1:,}")
