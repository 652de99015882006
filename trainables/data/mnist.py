"""MNIST: 70,000 images of handwritten digits, 28 by 28."""

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
from trainables.data.locations import find_files, missing_dataset
from trainables.data.stratified_split import split_off_validation
from trainables.declare import declare


class IdxFile(NamedTuple):
    """Content of an unpacked file."""

    shape: tuple[int, ...]
    md5: str  # header included


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


@declare(paper='LeCun, Bottou, Bengio & Haffner (1998), "Gradient-based learning applied to document recognition"')
def mnist(root: Path, download: bool, *, validation: int = 5000, groups: Groups = None) -> Dataset:
    """70,000 handwritten digits, 28 by 28 pixels.

    Reads MNIST's four idx files, gzipped or not, from ROOT/MNIST/raw, ROOT or ROOT/raw. Each is verified by its MD5.

    Args:
        validation: Training images that become the validation set, stratified.
        groups: Superclasses, each a list of class names, learned instead of the classes.
    """
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
    """Read one of MNIST's files; raise UserError unless it is original."""
    shape, md5 = MNIST_FILES[name]
    array = read_idx(path, len(shape), largest=math.prod(shape))
    if array.shape != shape:
        raise UserError(f"{path}: has the shape {array.shape}, expected {shape}")
    if len(shape) == 1 and array.max() >= len(CLASSES):
        raise UserError(f"{path}: label {array.max()} at image {array.argmax():,}, expected 0 to 9")
    header = struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(array.data)
    if digest.hexdigest() != md5:
        raise UserError(f"{path}: altered: the md5 of its unpacked contents is {digest.hexdigest()}, expected {md5}")
    return array


def _mnist_files(root: Path, download: bool) -> dict[str, Path]:
    home = root / "MNIST" / "raw"  # torchvision's layout
    folders = (home, root, root / "raw")
    paths = find_files(tuple(MNIST_FILES), folders)
    absent = [name for name, path in paths.items() if path is None]
    if absent and not download:
        files = f"{', '.join(absent)} (.gz or unpacked)"
        raise missing_dataset("mnist", files, folders, "or fetch the files (11 MB) by --download")
    for name in absent:
        largest = 2 * math.prod(MNIST_FILES[name].shape)  # bytes; stops an endless response
        paths[name] = fetch_file(f"{name}.gz", home, MNIST_MIRRORS, largest, partial(read_verified_idx, name=name))
    return {name: path for name, path in paths.items() if path}
