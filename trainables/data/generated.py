"""Generated images in the layouts of real data sets, for smoke tests.

Each generator writes files into a root and returns the values of the loader's knobs that fit them.
"""

from __future__ import annotations

import csv
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from trainables.data import cifar, cifar10, cifar100, fashion_mnist, idx, mhist, tiny_imagenet

PATTERN_SEED = 0
VALIDATION_IMAGES = 64
KnobValues = dict[str, Any]


def balanced_labels(classes: int, least: int) -> np.ndarray:
    """Return at least this many labels, equally many per class."""
    return np.tile(np.arange(classes), -(-least // classes))


def patterned_images(labels: np.ndarray, channels: int, side: int, seed: int) -> np.ndarray:
    """Return noisy images with a pattern for each class.

    uint8 [n, channels, side, side]. Large images are enlarged from 32 by 32, which keeps their files small.
    """
    patterns = np.random.default_rng(PATTERN_SEED).integers(64, 192, (labels.max() + 1, channels, 4, 4))
    noise = np.random.default_rng(seed).integers(-32, 32, (len(labels), channels, 32, 32))
    small = patterns.repeat(8, 2).repeat(8, 3)[labels] + noise
    scale = -(-side // 32)
    return small.astype(np.uint8).repeat(scale, 2).repeat(scale, 3)[:, :, :side, :side]


def cifar_writer(layout: cifar.CifarLayout) -> Callable[[Path, KnobValues], KnobValues]:
    """Return a generator of the binary layout.

    Images with several labels have the same pattern for all of them.
    """

    def write(root: Path, values: KnobValues) -> KnobValues:
        folder = root / layout.binary
        folder.mkdir()
        classes = [len(column.classes) for column in layout.labels]
        for seed, name in enumerate((*layout.train, layout.test)):
            labels = balanced_labels(max(classes), 5 * VALIDATION_IMAGES // len(layout.train))
            columns = np.stack([labels * n // max(classes) for n in classes], axis=1)
            pixels = patterned_images(labels, 3, 32, seed).reshape(len(labels), -1)
            rows = np.concatenate([columns, pixels], axis=1)
            (folder / f"{name}.bin").write_bytes(rows.astype(np.uint8).tobytes())
        return values | {"validation": VALIDATION_IMAGES}

    return write


def write_idx(root: Path, values: KnobValues) -> KnobValues:
    """Write four idx files of ten digits, or of the grouped labels."""
    names = [name for name in _grouped_names(values) if name.isdecimal() and int(name) < 256]
    _write_four_idx(root / "idx", np.array(sorted(map(int, names)) or range(10)))
    return values | {"folder": "idx", "validation": VALIDATION_IMAGES}


def write_fashion_mnist(root: Path, values: KnobValues) -> KnobValues:
    """Write four idx files of ten classes."""
    _write_four_idx(root / "FashionMNIST" / "raw", np.arange(len(fashion_mnist.CLASSES)))
    return values | {"validation": VALIDATION_IMAGES}


def _write_four_idx(folder: Path, numbers: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for seed, least in ((0, 5 * VALIDATION_IMAGES), (1, VALIDATION_IMAGES)):
        labels = balanced_labels(len(numbers), least)
        arrays = (patterned_images(labels, 1, 28, seed)[:, 0], numbers[labels])
        for name, array in zip(idx.IDX_NAMES[2 * seed :], arrays, strict=False):
            header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
            (folder / name).write_bytes(header + array.astype(np.uint8).tobytes())


def write_tiny_imagenet(root: Path, values: KnobValues) -> KnobValues:
    """Write 200 classes, or the selected ones; two are gray."""
    words = _grouped_names(values) or [f"thing {number}" for number in range(values.get("classes") or 200)]
    classes = [f"n{number:08}" for number in range(len(words))]
    base = root / tiny_imagenet.TINY_IMAGENET.folder
    train = balanced_labels(len(classes), 5 * VALIDATION_IMAGES)
    test = balanced_labels(len(classes), VALIDATION_IMAGES)
    names = [f"train/{classes[label]}/images/{classes[label]}_{n}.JPEG" for n, label in enumerate(train)]
    _write_images(base, names, patterned_images(train, 3, 64, 0), gray=train < 2)
    test_names = [f"val/images/val_{n}.JPEG" for n in range(len(test))]
    _write_images(base, test_names, patterned_images(test, 3, 64, 1), gray=test < 2)
    lines = [f"val_{n}.JPEG\t{classes[label]}\t0\t0\t63\t63\n" for n, label in enumerate(test)]
    (base / "val" / "val_annotations.txt").write_text("".join(lines), encoding="utf-8")
    (base / "wnids.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    pairs = zip(classes, words, strict=True)
    (base / "words.txt").write_text("".join(f"{name}\t{word}\n" for name, word in pairs), encoding="utf-8")
    return values | {"validation": VALIDATION_IMAGES if len(train) > 2 * VALIDATION_IMAGES else len(train) // 4}


def write_mhist(root: Path, values: KnobValues) -> KnobValues:
    """Write annotations.csv, and 64 training and 32 test images."""
    labels = balanced_labels(2, 96)
    names = [f"MHIST_{n}.png" for n in range(len(labels))]
    _write_images(root / "mhist" / "images", names, patterned_images(labels, 3, mhist.SIDE_PIXELS, 0))
    with open(root / "mhist" / "annotations.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(mhist.HEADER)
        for n, (name, label) in enumerate(zip(names, labels, strict=True)):
            table.writerow([name, mhist.MHIST_CLASSES[label], 6 * label + 1, mhist.PARTITIONS[n >= 64]])
    return values | {"validation": 16}


def write_folder(root: Path, values: KnobValues) -> KnobValues:
    """Write an undivided folder of three classes, or of the grouped ones."""
    classes = _grouped_names(values) or ["a", "b", "c"]
    labels = balanced_labels(len(classes), 2 * VALIDATION_IMAGES)
    names = [f"images/{classes[label]}/{n}.png" for n, label in enumerate(labels)]
    _write_images(root, names, patterned_images(labels, 3, 32, 0))
    return {key: value for key, value in values.items() if key not in ("validation", "test")} | {"path": "images"}


def _grouped_names(values: KnobValues) -> list[str]:
    """Return the names in `groups`, except impossible folder names.

    The loader reports those.
    """
    names = {str(name) for group in values.get("groups") or [] for name in group}
    return sorted(name for name in names if Path(name).name == name and not name.startswith("."))


def _write_images(base: Path, names: Sequence[str], pixels: np.ndarray, gray: np.ndarray | None = None) -> None:
    for n, name in enumerate(names):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels[n].transpose(1, 2, 0))
        (image.convert("L") if gray is not None and gray[n] else image).save(base / name)


# Without mnist: its loader accepts the original files only.
GENERATORS: dict[str, Callable[[Path, KnobValues], KnobValues]] = {
    "idx": write_idx,
    "cifar10": cifar_writer(cifar10.LAYOUT),
    "cifar100": cifar_writer(cifar100.LAYOUT),
    "fashion_mnist": write_fashion_mnist,
    "tiny_imagenet": write_tiny_imagenet,
    "mhist": write_mhist,
    "folder": write_folder,
}
