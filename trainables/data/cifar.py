"""What CIFAR-10 and CIFAR-100 have in common: their binary and their python layout (Krizhevsky, 2009)."""

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
MAX_TEST_IMAGES = 10_000  # images at most


class LabelColumn(NamedTuple):
    """One label of each image: its key in the python layout, and the names of its classes."""

    key: bytes
    classes: tuple[str, ...]


class CifarLayout(NamedTuple):
    """How one of the sets lies on disk; `labels` in the order of the bytes before the pixels of a record."""

    name: str
    binary: str  # folder
    python: str  # folder
    train: tuple[str, ...]  # names of files, to which the binary layout adds .bin
    test: str
    md5: dict[str, str]  # of the files of the python layout, as published
    batch: int  # images at most in a file to train on
    labels: tuple[LabelColumn, ...]
    archive: Archive


class CifarParts(NamedTuple):
    """The images to train on and to test on, and where they come from."""

    train: Split
    test: Split
    source: str


def read_cifar(layout: CifarLayout, label: int, root: Path, download: bool) -> CifarParts:
    """Both parts with the label of that number, from ROOT or its folder of either layout, the binary one first."""
    names = (*layout.train, layout.test)
    binary = [f"{name}.bin" for name in names]
    folder = _folder_holding(binary, (root / layout.binary, root)) or _folder_holding(
        names, (root / layout.python, root)
    )
    if folder is None and download:
        folder = unpack_archive(root, layout.archive)
    if folder is None:
        places = (root / layout.binary, root / layout.python, root)
        absent = _absent_files(root / layout.binary, binary)
        what = f"{layout.binary}/ nor {layout.python}/" if absent == binary else ", ".join(absent)
        raise missing_dataset(
            layout.name, what, places, f"or fetch it ({layout.archive.size // 10**6} MB) by --download"
        )
    if (folder / binary[0]).is_file():
        parts = [read_binary_file(folder / name, layout, label) for name in binary]
        source = f"the binary layout of {layout.name}; lengths and labels verified, contents taken as they are"
    else:
        parts = [_read_python_file(folder / name, layout, label) for name in names]
        source = f"the python layout of {layout.name}, each file verified by its md5"
    return CifarParts(_concatenate_splits(parts[:-1]), parts[-1], source)


def read_binary_file(path: Path, layout: CifarLayout, label: int) -> Split:
    """The images of a binary file, records of one byte for each label and 3,072 of pixels; a UserError names faults."""
    head = len(layout.labels)
    width, most = head + PIXEL_BYTES, MAX_TEST_IMAGES if path.stem == layout.test else layout.batch
    try:
        with path.open("rb") as file:
            content = file.read(width * most + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    n, rest = divmod(len(content), width)
    if rest or not n:
        found = f"more than {most:,} records" if len(content) > width * most else f"{len(content):,} bytes"
        raise UserError(f"{path}: {found}, expected 1 to {most:,} records of {width:,} bytes")
    rows = np.frombuffer(content, np.uint8).reshape(n, width)
    for column in range(head):
        _check_labels(path, rows[:, column], len(layout.labels[column].classes))
    return Split(rows[:, head:].reshape(-1, *SHAPE), rows[:, label].astype(np.int64))


def _read_python_file(path: Path, layout: CifarLayout, label: int) -> Split:
    """The images of a file of the python layout."""
    key, classes = layout.labels[label]
    content = verified_pickle.read_pickle(path, layout.md5[path.name], f"the binary layout, {layout.binary}/")
    labels = np.asarray(content[key], np.int64)
    _check_labels(path, labels, len(classes))
    return Split(content[b"data"].reshape(-1, *SHAPE), labels)


def _check_labels(path: Path, labels: np.ndarray, classes: int) -> None:
    if labels.max() >= classes:
        raise UserError(f"{path}: label {labels.max()} at image {labels.argmax():,}, expected 0 to {classes - 1}")


def _concatenate_splits(parts: Sequence[Split]) -> Split:
    return Split(np.concatenate([each.images for each in parts]), np.concatenate([each.labels for each in parts]))


def _folder_holding(names: Sequence[str], folders: Sequence[Path]) -> Path | None:
    """The first folder that holds all of these files."""
    return next((each for each in folders if not _absent_files(each, names)), None)


def _absent_files(folder: Path, names: Sequence[str]) -> list[str]:
    # os.path, as Path.is_file raises where a folder may not be entered.
    return [name for name in names if not os.path.isfile(folder / name)]
