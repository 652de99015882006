"""Corrupted files of data sets: one clear error or correct data, in bounded time and memory."""

from __future__ import annotations

import io
import shutil
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from conftest import FULL
from PIL import Image
from test_input import bounded

from spaces.errors import UserError
from trainables import data as datasets
from trainables.data import cifar10, cifar100, mhist
from trainables.data.dataset import Dataset

TRIES = 200 if FULL else 40


def picture(side: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(side * side * 3, dtype=np.uint32).astype(np.uint8).reshape(side, side, 3)).save(
        file, kind
    )
    return file.getvalue()


def bomb(random: Random) -> bytes:
    """Return a small PNG that declares up to 10 billion pixels."""
    width = random.choice((20_000, 100_000))
    parts = [
        (b"IHDR", struct.pack(">2I5B", width, width, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(2_000_000))),
        (b"IEND", b""),
    ]
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def write_cifar(root: Path, module, heads: tuple[int, ...]) -> None:
    """Write the binary layout with forty images per file."""
    layout = module.LAYOUT
    folder = root / layout.binary
    folder.mkdir(parents=True)
    for name in (*layout.train, layout.test):
        rows = [bytes(n % classes for classes in heads) + bytes([n] * 3072) for n in range(40)]
        (folder / f"{name}.bin").write_bytes(b"".join(rows))


def write_image_folder(root: Path) -> None:
    for part, name, number in ((p, c, n) for p in ("train", "test") for c in "ab" for n in range(12)):
        path = root / "mine" / part / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(9))


def write_mhist(root: Path) -> None:
    (root / "mhist" / "images").mkdir(parents=True)
    lines = [",".join(mhist.HEADER)]
    for number in range(24):
        name = f"MHIST_{number}.png"
        (root / "mhist" / "images" / name).write_bytes(picture(mhist.SIDE_PIXELS))
        lines.append(f"{name},{mhist.MHIST_CLASSES[number % 2]},{number % 8},{'train' if number < 16 else 'test'}")
    (root / "mhist" / "annotations.csv").write_text("\n".join(lines) + "\n")


def write_tiny_imagenet(root: Path) -> None:
    base, names, listed = root / "tiny-imagenet-200", ("n01", "n02"), []
    for name in names:
        for number in range(10):
            for path in (base / "train" / name / "images", base / "val" / "images"):
                path.mkdir(parents=True, exist_ok=True)
                (path / f"{name}_{number}.JPEG").write_bytes(picture(64, "JPEG"))
            listed.append(f"{name}_{number}.JPEG\t{name}\t0\t0\t62\t62")
    (base / "wnids.txt").write_text("\n".join(names) + "\n")
    (base / "words.txt").write_text("n01\tone, first\nn02\ttwo\n")
    (base / "val" / "val_annotations.txt").write_text("\n".join(listed) + "\n")


SETS: dict[str, tuple[Callable[[Path], None], dict]] = {
    "cifar10": (lambda root: write_cifar(root, cifar10, (10,)), {"validation": 20}),
    "cifar100": (lambda root: write_cifar(root, cifar100, (20, 100)), {"validation": 20}),
    "folder": (write_image_folder, {"path": "mine", "size": 8}),
    "mhist": (write_mhist, {"size": 8}),
    "tiny_imagenet": (write_tiny_imagenet, {}),
}


def corrupted(content: bytes, path: Path, random: Random) -> bytes:
    """Return the content cut, extended, altered or replaced; an image may become a decompression bomb."""
    flipped = bytearray(content)
    for _ in range(random.choice((1, 1, 20))):
        flipped[random.randrange(len(flipped))] ^= random.randrange(1, 256)
    changes = {
        "cut": content[: random.randrange(len(content))],
        "more": content + random.choice((random.randbytes(100), content * 3, bytes(40_000_000))),
        "flip": bytes(flipped),
        "head": random.randbytes(4) + content[4:],
        "noise": random.choice((random.randbytes(500), b"x" * 9000, b"\xed\x9f\xbf\n" * 50, b"\xff\xfe\0")),
        "nothing": b"",
    }
    if path.suffix == ".bin":
        changes["label"] = bytes([255]) + content[1:]
    elif path.suffix in (".csv", ".txt"):
        word = random.choice((b"HP", b"n01", b"train", b",", b"\t", b"MHIST_3"))
        new = random.choice((b"../../x", b"\0", b"9" * 20, b'"', b"", b"\x1b[31m"))
        changes["word"] = content.replace(word, new, 2)
    else:
        changes["bomb"] = bomb(random)
    return random.choice(list(changes.values()))


def attempt(name: str, root: Path, knobs: dict) -> Dataset | None:
    try:
        return datasets.load_dataset(name, root, **knobs)
    except UserError as error:
        message = str(error)
        assert str(root) in message and len(message) < 2000, message
        return None


@pytest.mark.parametrize("name", SETS)
def test_corrupted_data_sets(name: str, tmp_path: Path, tally) -> None:
    write, knobs = SETS[name]
    write(tmp_path / "whole")
    refused: Counter[bool] = Counter()
    files = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file())
    # files that describe others as often as images
    files = [path for path in files if path.suffix in (".csv", ".txt", ".bin")] * 4 + files
    root = shutil.copytree(tmp_path / "whole", tmp_path / "root")
    for number in range(TRIES):
        random = Random(f"{name}/{number}")
        path = root / random.choice(files)
        content = path.read_bytes()
        path.write_bytes(corrupted(content, path, random))
        with bounded():
            data = attempt(name, root, knobs)
        if data is not None:
            check_data(data)
        refused[data is None] += 1
        path.write_bytes(content)
    assert attempt(name, root, knobs) is not None and refused[True] > TRIES / 4
    tally(f"corrupted files of {name}", tries=TRIES, note=f"{refused[True]} refused, {refused[False]} read")


def check_data(data: Dataset) -> None:
    """Check that every image has the label of a named class."""
    for split in (data.train, data.val, data.test):
        assert split.images.dtype == np.uint8 and split.images.ndim == 4
        assert len(split.images) == len(split.labels) and 0 <= split.labels.min() <= split.labels.max() < len(
            data.classes
        )
    assert all(name for name in data.classes)
