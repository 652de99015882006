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
from trainables.data.cut import assemble
from trainables.data.dataset import Dataset, Split
from trainables.data.groups import Groups, grouped
from trainables.data.root import Missing, find

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
LARGEST = 2**31  # bytes; EMNIST's largest part is a quarter of it
CHUNK = 2**20  # bytes


def idx(root: Path, download: bool, *, folder: str, validation: int = 5000, groups: Groups = None) -> Dataset:
    """Four idx files in ROOT/folder, gzipped or not, their form checked; `validation` images are cut from train."""
    if not isinstance(folder, str):
        raise UserError(f"data.folder: {folder!r}: expected the name of a folder under the data root")
    base = root / folder
    paths = {name: path for name, path in find(NAMES, (base, base / "raw")).items() if path}
    if absent := [name for name in NAMES if name not in paths]:
        raise Missing(f"idx: no {', '.join(absent)} (.gz or unpacked) in {base}; data.folder lies under --data")
    train, test = four(paths)
    known = np.unique(train.labels)
    if len(strange := np.setdiff1d(test.labels, known)):
        raise UserError(f"{paths[NAMES[3]]}: label {strange[0]} does not occur among the labels to train on")
    data = assemble(
        Split(train.images, np.searchsorted(known, train.labels)),
        Split(test.images, np.searchsorted(known, test.labels)),
        validation=validation,
        classes=tuple(str(label) for label in known),
        source=f"four idx files in {folder}; magic numbers, shapes and lengths verified, contents taken as they are.",
        name="idx",
    )
    return grouped(data, groups)


def four(paths: dict[str, Path]) -> tuple[Split, Split]:
    """The images to train on and to test on from the four files of these NAMES, all of one size."""
    train, test = pair(paths[NAMES[0]], paths[NAMES[1]]), pair(paths[NAMES[2]], paths[NAMES[3]])
    if train.images.shape[1:] != test.images.shape[1:]:
        raise UserError(f"{paths[NAMES[2]]}: images of {_size(test)}, but those to train on are of {_size(train)}")
    return train, test


def pair(images: Path, labels: Path) -> Split:
    """Images [n, 1, height, width] and labels [n] from two idx files, which must agree in n."""
    pixels, answers = read(images, 3), read(labels, 1)
    if len(pixels) != len(answers):
        raise UserError(f"{labels}: {len(answers):,} labels for the {len(pixels):,} images of {images.name}")
    return Split(pixels[:, None], answers.astype(np.int64))


def read(path: Path, dimensions: int, largest: int = LARGEST) -> np.ndarray:
    """The uint8 array in an idx file, gzipped if its name ends in .gz; every fault is a UserError naming the file.

    Never holds more than `largest` bytes, whatever the file unpacks to.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _parse(file, path, dimensions, largest)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path}: cannot be unpacked, the file is truncated or altered ({error})") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error


def _parse(file: BinaryIO | gzip.GzipFile, path: Path, dimensions: int, largest: int) -> np.ndarray:
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
    body = _at_most(file, length + 1)
    if len(body) != length:
        found = f"only {len(body):,}" if len(body) < length else "more"
        raise UserError(f"{path}: {found} bytes of data after its header, expected {length:,} for the shape {shape}")
    return np.frombuffer(body, np.uint8).reshape(shape)


def _at_most(file: BinaryIO | gzip.GzipFile, n: int) -> bytearray:
    """Up to n bytes, read in chunks: one read of n would reserve all of what a false header declares."""
    body = bytearray()
    while len(body) < n and (chunk := file.read(min(CHUNK, n - len(body)))):
        body += chunk
    return body


def _size(split: Split) -> str:
    return " by ".join(str(n) for n in split.images.shape[2:])
