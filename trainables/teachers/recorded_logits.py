"""Alignment of recorded logits with the images of a data set.

Formats of the files: recorded_file.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spaces.errors import UserError, did_you_mean
from trainables.data import Dataset
from trainables.data.dataset import SPLITS
from trainables.distillation_data import TeacherOutputs
from trainables.teachers.recorded_file import RecordedLogits, read_recorded

MAX_NAMED = 3  # images in a message
HASH_BYTES = 16


def image_hashes(images: np.ndarray) -> list[str]:
    """Return a hash of each image, 32 hex digits.

    `images` are those of a split, [n, channels, height, width]. It covers type, shape and pixels.
    """
    prefix = f"{images.dtype.str}{images.shape[1:]}".encode()
    return [
        hashlib.blake2b(prefix + np.ascontiguousarray(image).tobytes(), digest_size=HASH_BYTES).hexdigest()
        for image in images
    ]


def recorded_outputs(file: str, data: Dataset) -> TeacherOutputs:
    """Return the recorded logits of all images of a data set.

    Raises UserError with the first images without logits, and for any other misalignment.
    """
    path = Path(file)
    recorded = read_recorded(path, path.stat().st_mtime_ns)
    logits = _order_classes(path, recorded, data.classes)
    rows = _row_indices(path, recorded, data)
    ordered = logits[rows].astype(np.float32)
    if not np.isfinite(ordered).all():
        row = int(rows[np.flatnonzero(~np.isfinite(ordered).all(1))[0]])
        raise UserError(f"{path}: row {row + 1} contains NaN or infinite logits")
    if (ordered >= 0).all() and np.allclose(ordered.sum(1), 1, atol=1e-3):
        raise UserError(f"{path}: holds probabilities, expected logits before softmax; their logarithm will do")
    train, val, test = np.split(ordered, np.cumsum([data.sizes[split] for split in SPLITS])[:2])
    return TeacherOutputs(train=train, val=val, test=test)


def recorded_logits_problem(file: str, data: Dataset) -> str | None:
    """Return the misfit of a file and a data set, or None."""
    try:
        recorded_outputs(file, data)
    except UserError as error:
        return str(error)
    return None


def _order_classes(path: Path, recorded: RecordedLogits, classes: Sequence[str]) -> np.ndarray:
    """Return the columns in the order of the classes."""
    n = recorded.logits.shape[1]
    if recorded.classes is None:
        if n != len(classes):
            raise UserError(f"{path}: logits of {n} classes, but the data has {len(classes)}")
        return recorded.logits
    names = list(map(str, recorded.classes))
    if len(set(names)) < len(names) or len(names) != n:
        raise UserError(f"{path}: {n} columns of logits, but {len(set(names))} different names of classes")
    for name in classes:
        if name not in names:
            raise UserError(f"{path}: no logits of class {name}{did_you_mean(name, names)}")
    if extra := [name for name in names if name not in classes]:
        raise UserError(f"{path}: {extra[0]} is no class of the data{did_you_mean(extra[0], classes)}")
    return recorded.logits[:, [names.index(name) for name in classes]]


def _row_indices(path: Path, recorded: RecordedLogits, data: Dataset) -> np.ndarray:
    """Return the row of each image of the data set."""
    images = sum(data.sizes.values())
    if recorded.kind == "images":
        if len(recorded.logits) != images:
            raise UserError(f"{path}: {len(recorded.logits):,} rows, expected one for each of {images:,} images")
        if recorded.keys != [data.fingerprint()]:
            raise UserError(f"{path}: recorded for other images, or in another order: their fingerprint differs")
        return np.arange(images)
    if recorded.kind == "files" and not data.names:
        raise UserError(f"{path}: names files, but {data.name} has none; record hashes or the order of the images")
    splits = [getattr(data, split).images for split in SPLITS]
    needed = [name for names in data.names for name in names]
    if recorded.kind == "hashes":
        needed = [digest for part in splits for digest in image_hashes(part)]
    place: dict[str, int] = {}
    for index, key in enumerate(recorded.keys):
        if key in place and not np.array_equal(recorded.logits[place[key]], recorded.logits[index]):
            raise UserError(f"{path}: {key} is in rows {place[key] + 1} and {index + 1}, with different logits")
        place.setdefault(key, index)
    missing = [key for key in needed if key not in place]
    if missing:
        shown = ", ".join(missing[:MAX_NAMED]) + (", …" if len(missing) > MAX_NAMED else "")
        example = f"; its first row is {recorded.keys[0]}" if len(recorded.keys) else ""
        raise UserError(f"{path}: no logits for {len(missing):,} of {images:,} images ({shown}){example}")
    return np.array([place[key] for key in needed])


def names_digest(data: Dataset) -> str:
    """Return a digest of the names of all files, in their order."""
    return hashlib.sha256("\0".join(name for part in data.names for name in part).encode()).hexdigest()
