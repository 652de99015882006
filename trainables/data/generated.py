"""A few generated images in the layout of a data set, for a smoke test where the set itself is absent."""

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
VALIDATION_IMAGES = 64  # images
Knobs = dict[str, Any]


def balanced_labels(classes: int, least: int) -> np.ndarray:
    """At least so many labels, the same number of each class, in turns."""
    return np.tile(np.arange(classes), -(-least // classes))


def patterned_images(of: np.ndarray, channels: int, side: int, seed: int) -> np.ndarray:
    """Images with these labels, uint8 [n, channels, side, side]: a pattern for each class, and noise on every image.

    Large ones are enlarged from 32 by 32, so that their files stay small.
    """
    patterns = np.random.default_rng(PATTERN_SEED).integers(64, 192, (of.max() + 1, channels, 4, 4))
    noise = np.random.default_rng(seed).integers(-32, 32, (len(of), channels, 32, 32))
    small = patterns.repeat(8, 2).repeat(8, 3)[of] + noise
    scale = -(-side // 32)
    return small.astype(np.uint8).repeat(scale, 2).repeat(scale, 3)[:, :, :side, :side]


def write_cifar(layout: cifar.CifarLayout) -> Callable[[Path, Knobs], Knobs]:
    """Writes the binary layout; where images have several labels they are those of one class in all of them."""

    def write(root: Path, values: Knobs) -> Knobs:
        folder = root / layout.binary
        folder.mkdir()
        classes = [len(each.classes) for each in layout.labels]
        for seed, name in enumerate((*layout.train, layout.test)):
            of = balanced_labels(max(classes), 5 * VALIDATION_IMAGES // len(layout.train))
            heads = np.stack([of * n // max(classes) for n in classes], axis=1)
            rows = np.concatenate([heads, patterned_images(of, 3, 32, seed).reshape(len(of), -1)], axis=1)
            (folder / f"{name}.bin").write_bytes(rows.astype(np.uint8).tobytes())
        return values | {"validation": VALIDATION_IMAGES}

    return write


def write_idx(root: Path, values: Knobs) -> Knobs:
    """Writes four idx files of digits, or of the labels that are grouped."""
    found = sorted(int(name) for name in _grouped_names(values) if name.isdecimal() and int(name) < 256) or range(10)
    _write_four_idx(root / "idx", np.array(found))
    return values | {"folder": "idx", "validation": VALIDATION_IMAGES}


def write_fashion_mnist(root: Path, values: Knobs) -> Knobs:
    """Writes four idx files."""
    _write_four_idx(root / "FashionMNIST" / "raw", np.arange(len(fashion_mnist.CLASSES)))
    return values | {"validation": VALIDATION_IMAGES}


def _write_four_idx(folder: Path, known: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for seed, least in ((0, 5 * VALIDATION_IMAGES), (1, VALIDATION_IMAGES)):
        of = balanced_labels(len(known), least)
        for name, array in zip(
            idx.IDX_NAMES[2 * seed :], (patterned_images(of, 1, 28, seed)[:, 0], known[of]), strict=False
        ):
            header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
            (folder / name).write_bytes(header + array.astype(np.uint8).tobytes())


def write_tiny_imagenet(root: Path, values: Knobs) -> Knobs:
    """Writes 200 classes, or as many as are asked for or grouped, two of them with images of one channel."""
    words = _grouped_names(values) or [f"thing {number}" for number in range(values.get("classes") or 200)]
    known = [f"n{number:08}" for number in range(len(words))]
    base = root / tiny_imagenet.TINY_IMAGENET.folder
    of, tested = balanced_labels(len(known), 5 * VALIDATION_IMAGES), balanced_labels(len(known), VALIDATION_IMAGES)
    names = [f"train/{known[label]}/images/{known[label]}_{n}.JPEG" for n, label in enumerate(of)]
    _write_images(base, names, patterned_images(of, 3, 64, 0), grey=of < 2)
    _write_images(
        base,
        [f"val/images/val_{n}.JPEG" for n in range(len(tested))],
        patterned_images(tested, 3, 64, 1),
        grey=tested < 2,
    )
    lines = [f"val_{n}.JPEG\t{known[label]}\t0\t0\t63\t63\n" for n, label in enumerate(tested)]
    (base / "val" / "val_annotations.txt").write_text("".join(lines), encoding="utf-8")
    (base / "wnids.txt").write_text("".join(f"{name}\n" for name in known), encoding="utf-8")
    pairs = zip(known, words, strict=True)
    (base / "words.txt").write_text("".join(f"{name}\t{word}\n" for name, word in pairs), encoding="utf-8")
    return values | {"validation": VALIDATION_IMAGES if len(of) > 2 * VALIDATION_IMAGES else len(of) // 4}


def write_mhist(root: Path, values: Knobs) -> Knobs:
    """Writes annotations.csv and images/, 64 to train on and 32 to test on."""
    of = balanced_labels(2, 96)
    names = [f"MHIST_{n}.png" for n in range(len(of))]
    _write_images(root / "mhist" / "images", names, patterned_images(of, 3, mhist.SIDE_PIXELS, 0))
    with open(root / "mhist" / "annotations.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(mhist.HEADER)
        for n, (name, label) in enumerate(zip(names, of, strict=True)):
            table.writerow([name, mhist.MHIST_CLASSES[label], 6 * label + 1, mhist.PARTITIONS[n >= 64]])
    return values | {"validation": 16}


def write_folder(root: Path, values: Knobs) -> Knobs:
    """Writes three classes, or those that are grouped, not divided."""
    names = _grouped_names(values) or ["a", "b", "c"]
    of = balanced_labels(len(names), 2 * VALIDATION_IMAGES)
    _write_images(
        root, [f"images/{names[label]}/{n}.png" for n, label in enumerate(of)], patterned_images(of, 3, 32, 0)
    )
    return {key: value for key, value in values.items() if key not in ("validation", "test")} | {"path": "images"}


def _grouped_names(values: Knobs) -> list[str]:
    """The names in the knob `groups`, as far as a folder may have them; its mistakes are left to the loader."""
    names = {str(name) for group in values.get("groups") or [] for name in group}
    return sorted(name for name in names if Path(name).name == name and not name.startswith("."))


def _write_images(base: Path, names: Sequence[str], pixels: np.ndarray, grey: np.ndarray | None = None) -> None:
    for n, name in enumerate(names):
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels[n].transpose(1, 2, 0))
        (image.convert("L") if grey is not None and grey[n] else image).save(base / name)


# Not mnist: its loader takes nothing but the originals.
GENERATORS: dict[str, Callable[[Path, Knobs], Knobs]] = {
    "idx": write_idx,
    "cifar10": write_cifar(cifar10.LAYOUT),
    "cifar100": write_cifar(cifar100.LAYOUT),
    "fashion_mnist": write_fashion_mnist,
    "tiny_imagenet": write_tiny_imagenet,
    "mhist": write_mhist,
    "folder": write_folder,
}
