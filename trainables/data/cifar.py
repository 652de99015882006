"""Files shared by CIFAR-10 and CIFAR-100: their binary and their Python layout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spaces.errors import UserError
from trainables.data import verified_pickle
from trainables.data.archive import Archive, unpack_archive
from trainables.data.dataset import Split
from trainables.data.locations import missing_dataset

SHAPE = (3, 32, 32)
PIXEL_BYTES = 3 * 32 * 32
MAX_TEST_IMAGES = 10_000


class LabelColumn(NamedTuple):
    """One label of each image."""

    key: bytes  # in the Python layout
    classes: tuple[str, ...]


class CifarLayout(NamedTuple):
    """Files of one data set."""

    name: str
    binary: str  # folder
    python: str  # folder
    train: tuple[str, ...]  # file names; the binary layout adds .bin
    test: str
    md5: dict[str, str]  # of the files in the Python layout, as published
    max_file_images: int  # in each training file
    labels: tuple[LabelColumn, ...]  # in the order of the bytes before the pixels of a record
    archive: Archive


class CifarParts(NamedTuple):
    """Training and test images, and their origin."""

    train: Split
    test: Split
    source: str


def read_cifar(layout: CifarLayout, column: int, root: Path, download: bool) -> CifarParts:
    """Read both parts, with the labels of one column.

    From the root or its folder of either layout; the binary layout is preferred.
    """
    names = (*layout.train, layout.test)
    binary = [f"{name}.bin" for name in names]
    folders = (root / layout.binary, root / layout.python, root)
    folder = _folder_with_files(binary, (folders[0], root)) or _folder_with_files(names, folders[1:])
    if folder is None and download:
        folder = unpack_archive(root, layout.archive)
    if folder is None:
        absent = _absent_files(folders[0], binary)
        files = f"{layout.binary}/ nor {layout.python}/" if absent == binary else ", ".join(absent)
        alternative = f"or fetch it ({layout.archive.bytes // 10**6} MB) by --download"
        raise missing_dataset(layout.name, files, folders, alternative)
    if (folder / binary[0]).is_file():
        parts = [read_binary_file(folder / name, layout, column) for name in binary]
        source = f"the binary layout of {layout.name}; lengths and labels verified, contents taken as they are"
    else:
        parts = [_read_python_file(folder / name, layout, column) for name in names]
        source = f"the python layout of {layout.name}, each file verified by its md5"
    return CifarParts(_concatenate_splits(parts[:-1]), parts[-1], source)


def read_binary_file(path: Path, layout: CifarLayout, column: int) -> Split:
    """Read a file of the binary layout.

    Each image has one byte for each label and 3,072 bytes of pixels.
    """
    label_bytes = len(layout.labels)
    width = label_bytes + PIXEL_BYTES
    largest = MAX_TEST_IMAGES if path.stem == layout.test else layout.max_file_images
    try:
        with path.open("rb") as file:
            content = file.read(width * largest + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    n, rest = divmod(len(content), width)
    if rest or not n:
        size = f"more than {largest:,} records" if len(content) > width * largest else f"{len(content):,} bytes"
        raise UserError(f"{path}: {size}, expected 1 to {largest:,} records of {width:,} bytes")
    rows = np.frombuffer(content, np.uint8).reshape(n, width)
    for number, labels in enumerate(layout.labels):
        _check_labels(path, rows[:, number], len(labels.classes))
    return Split(rows[:, label_bytes:].reshape(-1, *SHAPE), rows[:, column].astype(np.int64))


def _read_python_file(path: Path, layout: CifarLayout, column: int) -> Split:
    key, classes = layout.labels[column]
    content = verified_pickle.read_pickle(path, layout.md5[path.name], f"the binary layout, {layout.binary}/")
    labels = np.asarray(content[key], np.int64)
    _check_labels(path, labels, len(classes))
    return Split(content[b"data"].reshape(-1, *SHAPE), labels)


def _check_labels(path: Path, labels: np.ndarray, classes: int) -> None:
    if labels.max() >= classes:
        raise UserError(f"{path}: label {labels.max()} at image {labels.argmax():,}, expected 0 to {classes - 1}")


def _concatenate_splits(parts: Sequence[Split]) -> Split:
    return Split(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))


def _folder_with_files(names: Sequence[str], folders: Sequence[Path]) -> Path | None:
    """Return the first folder with all of these files."""
    return next((folder for folder in folders if not _absent_files(folder, names)), None)


def _absent_files(folder: Path, names: Sequence[str]) -> list[str]:
    # os.path, because Path.is_file raises for a file in an unreadable folder.
    return [name for name in names if not os.path.isfile(folder / name)]
