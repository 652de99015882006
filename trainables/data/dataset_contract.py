"""Contract of the data sets returned by loaders.

Checked before anything is trained, for plugins and this project's loaders alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spaces.errors import UserError
from trainables.data.dataset import SPLITS, UNLABELED, Dataset, Split

IMAGE_COLORS = (1, 3, 4)  # sizes of the color axis, for images with that axis last


def checked_dataset(name: str, data: object) -> Dataset:
    """Return a loader's data set with arrays of the expected types.

    Tensors become arrays, whole numbers int64, floats float32. Raises UserError with every other difference from the
    contract.
    """
    if not isinstance(data, Dataset):
        raise UserError(f"data.name: {name}: the loader returned {_kind(data)}, expected trainables.data.Dataset")
    classes = tuple(map(str, data.classes))
    train, val, test = (_as_arrays(getattr(data, split)) for split in SPLITS)
    data = data._replace(classes=classes, train=train, val=val, test=test)
    problems = [
        f"{split}: {problem}"
        for split in SPLITS
        for problem in _split_problems(getattr(data, split), classes, unlabeled=split == "train")
    ]
    problems = problems or list(_agreement_problems(data))
    if problems:
        raise UserError(f"data.name: {name}: {'; '.join(dict.fromkeys(problems))}")
    return data


def _as_arrays(split: object) -> Split:
    try:
        images, labels = (
            (part if isinstance(part, np.ndarray) else np.asarray(part) for part in split)
            if isinstance(split, tuple)
            else (None, None)
        )
    except ValueError:  # not two parts, or rows of several lengths
        images = labels = None
    if images is None or labels is None:
        return Split(np.array(None), np.array(None))  # refused below, by its type
    images = images.astype(np.float32) if images.dtype.kind == "f" and images.dtype != np.float32 else images
    labels = labels.astype(np.int64) if labels.dtype.kind in "iub" and labels.dtype != np.int64 else labels
    return Split(images, labels)


def _split_problems(split: Split, classes: tuple[str, ...], unlabeled: bool) -> Iterator[str]:
    images, labels = split
    if images.dtype.kind == "O" or labels.dtype.kind == "O":
        yield "not two arrays of one shape and type; expected a Split of images and labels"
        return
    yield from _array_problems(images)
    yield from _label_problems(labels, classes, unlabeled)
    if images.ndim and labels.ndim == 1 and len(images) != len(labels):
        yield f"{len(images):,} images with {len(labels):,} labels"
    if images.ndim and not len(images):
        yield "no images"


def _array_problems(images: np.ndarray) -> Iterator[str]:
    shape = list(images.shape)
    if images.ndim == 4 and shape[3] in IMAGE_COLORS and shape[1] not in IMAGE_COLORS:
        yield f"images {shape}, expected [n, channels, height, width]: images.transpose(0, 3, 1, 2)"
    elif images.dtype == np.float32:
        if images.ndim < 2:
            yield f"inputs {shape}, expected [n, …]"
        elif bad := int((~np.isfinite(images)).sum()):
            yield f"{bad:,} input values are NaN or infinite"
    elif images.dtype != np.uint8:
        advice = "text is not supported" if images.ndim == 2 and images.dtype.kind in "iu" else "convert them"
        yield f"inputs of type {images.dtype}, expected uint8 images or float32 inputs of any shape; {advice}"
    elif images.ndim == 3:
        yield f"images {shape}, expected [n, channels, height, width]: images[:, None]"
    elif images.ndim != 4:
        yield f"uint8 images {shape}, expected [n, channels, height, width], or float32 for other inputs"


def _label_problems(labels: np.ndarray, classes: tuple[str, ...], unlabeled: bool) -> Iterator[str]:
    count = len(classes)
    if unlabeled and labels.ndim == 1:
        labels = labels[labels != UNLABELED]
    if labels.ndim == 2:
        one_hot = labels.shape[1] > 1 and np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all()
        several = "labels of several classes per example are not supported"
        yield f"one-hot labels {list(labels.shape)}, expected numbers [n]: labels.argmax(1)" if one_hot else several
    elif labels.ndim != 1:
        yield f"labels {list(labels.shape)}, expected [n]"
    elif labels.dtype != np.int64:
        numbers = labels.dtype.kind == "f" and not np.equal(np.mod(labels, 1), 0).all()
        reason = "regression is not supported" if numbers else "expected whole numbers"
        yield f"labels of type {labels.dtype}; {reason}"
    elif len(labels) and not 0 <= labels.min() <= labels.max() < count:
        low, high = int(labels.min()), int(labels.max())
        advice = "; subtract 1" if (low, high) == (1, count) else ""
        yield f"labels from {low} to {high}, expected 0 to {count - 1} for {count} classes{advice}"


def _agreement_problems(data: Dataset) -> Iterator[str]:
    """Yield differences between the splits."""
    train = data.train.images
    for name in SPLITS[1:]:
        images = getattr(data, name).images
        if images.dtype != train.dtype or images.shape[1:] != train.shape[1:]:
            own, expected = (f"{part.dtype} {list(part.shape[1:])}" for part in (images, train))
            yield f"{name}: inputs {own}, but {expected} in train"


def _kind(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__
