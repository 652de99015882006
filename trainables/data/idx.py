"""Any set of four idx files in MNIST's layout: `data: {name: idx, folder: FashionMNIST/raw}`.

The format: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", section "File formats".
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
MAX_IDX_BYTES = 2**31  # bytes; EMNIST's largest part is a quarter of it
CHUNK_BYTES = 2**20  # bytes


def idx(root: Path, download: bool, *, folder: str, validation: int = 5000, groups: Groups = None) -> Dataset:
    """Four idx files in ROOT/folder, gzipped or not, their form checked; `validation` images are cut from train."""
    if not isinstance(folder, str):
        raise UserError(f"data.folder: {folder!r}: expected the name of a folder under the data root")
    base = root / folder
    paths = {name: path for name, path in find_files(IDX_NAMES, (base, base / "raw")).items() if path}
    if absent := [name for name in IDX_NAMES if name not in paths]:
        raise MissingFilesError(
            f"idx: no {', '.join(absent)} (.gz or unpacked) in {base}; data.folder lies under --data"
        )
    train, test = read_four_files(paths)
    known = np.unique(train.labels)
    if len(strange := np.setdiff1d(test.labels, known)):
        raise UserError(f"{paths[IDX_NAMES[3]]}: label {strange[0]} does not occur among the labels to train on")
    data = split_off_validation(
        Split(train.images, np.searchsorted(known, train.labels)),
        Split(test.images, np.searchsorted(known, test.labels)),
        validation=validation,
        classes=tuple(str(label) for label in known),
        source=f"four idx files in {folder}; magic numbers, shapes and lengths verified, contents taken as they are.",
        name="idx",
    )
    return group_classes(data, groups)


def read_four_files(paths: dict[str, Path]) -> tuple[Split, Split]:
    """The images to train on and to test on from the four files of these NAMES, all of one size."""
    train, test = (
        read_image_label_pair(paths[IDX_NAMES[0]], paths[IDX_NAMES[1]]),
        read_image_label_pair(paths[IDX_NAMES[2]], paths[IDX_NAMES[3]]),
    )
    if train.images.shape[1:] != test.images.shape[1:]:
        raise UserError(
            f"{paths[IDX_NAMES[2]]}: images of {_pixel_size(test)}, but those to train on are of {_pixel_size(train)}"
        )
    return train, test


def read_image_label_pair(images: Path, labels: Path) -> Split:
    """Images [n, 1, height, width] and labels [n] from two idx files, which must agree in n."""
    pixels, answers = read_idx(images, 3), read_idx(labels, 1)
    if len(pixels) != len(answers):
        raise UserError(f"{labels}: {len(answers):,} labels for the {len(pixels):,} images of {images.name}")
    return Split(pixels[:, None], answers.astype(np.int64))


def read_idx(path: Path, dimensions: int, largest: int = MAX_IDX_BYTES) -> np.ndarray:
    """The uint8 array in an idx file, gzipped if its name ends in .gz; every fault is a UserError naming the file.

    Never holds more than `largest` bytes, whatever the file unpacks to.
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
        found = f"only {len(body):,}" if len(body) < length else "more"
        raise UserError(f"{path}: {found} bytes of data after its header, expected {length:,} for the shape {shape}")
    return np.frombuffer(body, np.uint8).reshape(shape)


def _read_at_most(file: BinaryIO | gzip.GzipFile, n: int) -> bytearray:
    """Up to n bytes, read in chunks: one read of n would reserve all of what a false header declares."""
    body = bytearray()
    while len(body) < n and (chunk := file.read(min(CHUNK_BYTES, n - len(body)))):
        body += chunk
    return body


def _pixel_size(split: Split) -> str:
    return " by ".join(str(n) for n in split.images.shape[2:])
