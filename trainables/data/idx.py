"""Any data set of four idx files in MNIST's layout.

Format: LeCun, Cortes & Burges, "The MNIST database of handwritten digits", section "File formats".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from spaces.errors import UserError
from trainables.data.dataset import Dataset, Split
from trainables.data.groups import Groups, group_classes
from trainables.data.locations import MissingFilesError, find_files
from trainables.data.stratified_split import split_off_validation

IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
MAX_IDX_BYTES = 2**31  # EMNIST's largest part has a quarter of it
CHUNK_BYTES = 2**20


def idx(root: Path, download: bool, *, folder: str, validation: int = 5000, groups: Groups = None) -> Dataset:
    """Four idx files in a folder of the data root.

    `data: {name: idx, folder: EMNIST/raw}`. The files may be gzipped, and may lie in a sub-folder raw/. Magic numbers,
    shapes and lengths are verified.

    Args:
        folder: Path of the files below the data root.
        validation: Training images that become the validation set, stratified.
        groups: Superclasses, each a list of class names, learned instead of the classes.
    """
    if not isinstance(folder, str):
        raise UserError(f"data.folder: {folder!r}: expected the name of a folder under the data root")
    base = root / folder
    paths = {name: path for name, path in find_files(IDX_NAMES, (base, base / "raw")).items() if path}
    if absent := [name for name in IDX_NAMES if name not in paths]:
        raise MissingFilesError(
            f"idx: no {', '.join(absent)} (.gz or unpacked) in {base}; data.folder lies under --data"
        )
    train, test = read_four_files(paths)
    labels = np.unique(train.labels)
    if len(unknown := np.setdiff1d(test.labels, labels)):
        raise UserError(f"{paths[IDX_NAMES[3]]}: label {unknown[0]} does not occur among the training labels")
    data = split_off_validation(
        Split(train.images, np.searchsorted(labels, train.labels)),
        Split(test.images, np.searchsorted(labels, test.labels)),
        validation=validation,
        classes=tuple(str(label) for label in labels),
        source=f"four idx files in {folder}; magic numbers, shapes and lengths verified, contents taken as they are.",
        name="idx",
    )
    return group_classes(data, groups)


def read_four_files(paths: dict[str, Path]) -> tuple[Split, Split]:
    """Read training and test images from the files of IDX_NAMES."""
    images, labels, test_images, test_labels = (paths[name] for name in IDX_NAMES)
    train, test = read_image_label_pair(images, labels), read_image_label_pair(test_images, test_labels)
    if train.images.shape[1:] != test.images.shape[1:]:
        raise UserError(
            f"{test_images}: images of {_pixel_size(test)}, but those to train on are of {_pixel_size(train)}"
        )
    return train, test


def read_image_label_pair(images: Path, labels: Path) -> Split:
    """Read images and their labels from two idx files.

    The images are [n, 1, height, width], the labels [n].
    """
    pixels, numbers = read_idx(images, 3), read_idx(labels, 1)
    if len(pixels) != len(numbers):
        raise UserError(f"{labels}: {len(numbers):,} labels for the {len(pixels):,} images of {images.name}")
    return Split(pixels[:, None], numbers.astype(np.int64))


def read_idx(path: Path, dimensions: int, largest: int = MAX_IDX_BYTES) -> np.ndarray:
    """Read the uint8 array of an idx file.

    A file named .gz is gzipped. Raises UserError for every fault. Memory stays below `largest` bytes, whatever the file
    unpacks to.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _parse_idx(file, path, dimensions, largest)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path}: cannot be unpacked, the file is truncated or altered ({error})") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error


def _parse_idx(file: BinaryIO | gzip.GzipFile, path: Path, dimensions: int, largest: int) -> np.ndarray:
    header = file.read(4 + 4 * dimensions)
    magic = struct.pack(">I", 0x0800 + dimensions)  # 08: unsigned bytes, then the number of dimensions
    if header[:4] != magic:
        raise UserError(f"{path}: starts with {header[:4].hex() or 'nothing'}, expected the magic number {magic.hex()}")
    if len(header) < 4 + 4 * dimensions:
        raise UserError(f"{path}: ends after {len(header)} bytes, within its header")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    length = math.prod(shape)
    if not 0 < length <= largest:
        raise UserError(f"{path}: declares the shape {shape}, expected 1 to {largest:,} bytes of data")
    body = _read_at_most(file, length + 1)
    if len(body) != length:
        size = f"only {len(body):,}" if len(body) < length else "more"
        raise UserError(f"{path}: {size} bytes of data after its header, expected {length:,} for the shape {shape}")
    return np.frombuffer(body, np.uint8).reshape(shape)


def _read_at_most(file: BinaryIO | gzip.GzipFile, n: int) -> bytearray:
    """Read up to n bytes in chunks.

    A single read would reserve n bytes, even if a false header declares them.
    """
    body = bytearray()
    while len(body) < n and (chunk := file.read(min(CHUNK_BYTES, n - len(body)))):
        body += chunk
    return body


def _pixel_size(split: Split) -> str:
    return " by ".join(str(n) for n in split.images.shape[2:])
