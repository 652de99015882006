"""MNIST: 60,000 training and 10,000 test images of handwritten digits (LeCun, Cortes and Burges)."""

from __future__ import annotations

import hashlib
import math
import struct
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spaces.errors import UserError
from trainables.data.dataset import Dataset, Split
from trainables.data.download import fetch_file
from trainables.data.groups import Groups, group_classes
from trainables.data.idx import read_idx
from trainables.data.locations import MissingFilesError, find_files
from trainables.data.stratified_split import split_off_validation


class IdxFile(NamedTuple):
    """What one of the four files holds when unpacked."""

    shape: tuple[int, ...]
    md5: str  # of the unpacked file, header included


MNIST_FILES = {
    "train-images-idx3-ubyte": IdxFile((60000, 28, 28), "6bbc9ace898e44ae57da46a324031adb"),
    "train-labels-idx1-ubyte": IdxFile((60000,), "a25bea736e30d166cdddb491f175f624"),
    "t10k-images-idx3-ubyte": IdxFile((10000, 28, 28), "2646ac647ad5339dbf082846283269ea"),
    "t10k-labels-idx1-ubyte": IdxFile((10000,), "27ae3e4e09519cfbb04c329615203637"),
}
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",  # torchvision's
    "https://storage.googleapis.com/cvdf-datasets/mnist/",  # TensorFlow's
)
CLASSES = tuple("0123456789")


def mnist(root: Path, download: bool, *, validation: int = 5000, groups: Groups = None) -> Dataset:
    """MNIST's four idx files from ROOT/MNIST/raw, ROOT or ROOT/raw, gzipped or not, each verified by its md5."""
    arrays = {name: read_verified_idx(path, name) for name, path in _mnist_files(root, download).items()}
    pixels, labels, test_pixels, test_labels = (arrays[name] for name in MNIST_FILES)
    data = split_off_validation(
        Split(pixels[:, None], labels.astype(np.int64)),
        Split(test_pixels[:, None], test_labels.astype(np.int64)),
        validation=validation,
        classes=CLASSES,
        source="the four original files, verified by the md5 of their contents",
        name="mnist",
    )
    return group_classes(data, groups)


def read_verified_idx(path: Path, name: str) -> np.ndarray:
    """The contents of one of MNIST's files; a UserError naming the file where they are not the original's."""
    shape, md5 = MNIST_FILES[name]
    array = read_idx(path, len(shape), largest=math.prod(shape))
    if array.shape != shape:
        raise UserError(f"{path}: has the shape {array.shape}, expected {shape}")
    if len(shape) == 1 and array.max() >= len(CLASSES):
        raise UserError(f"{path}: label {array.max()} at image {array.argmax():,}, expected 0 to 9")
    header = struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)
    found = hashlib.md5(header, usedforsecurity=False)
    found.update(array.data)
    if found.hexdigest() != md5:
        raise UserError(f"{path}: altered: the md5 of its unpacked contents is {found.hexdigest()}, expected {md5}")
    return array


def _mnist_files(root: Path, download: bool) -> dict[str, Path]:
    home = root / "MNIST" / "raw"  # torchvision's layout
    found = find_files(tuple(MNIST_FILES), (home, root, root / "raw"))
    absent = [name for name, path in found.items() if path is None]
    if absent and not download:
        raise MissingFilesError(
            f"mnist: {', '.join(absent)} (.gz or unpacked) not found in {root} (looked in MNIST/raw, . and raw); "
            "name the folder by --data DIR or the variable KD_DATA=DIR, or fetch the files (11 MB) by --download"
        )
    for name in absent:
        most = 2 * math.prod(MNIST_FILES[name].shape)  # bytes; a guard against an endless answer
        found[name] = fetch_file(f"{name}.gz", home, MNIST_MIRRORS, most, partial(read_verified_idx, name=name))
    return {name: path for name, path in found.items() if path}
