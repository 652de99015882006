"""Spoilt data sets, from CIFAR's records to folders of images: one clear error or correct data, in little room."""

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
    """A small PNG that declares up to ten thousand million pixels, and compresses some of them well."""
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


def cifar(root: Path, module, heads: tuple[int, ...]) -> None:
    """The binary layout with forty images a file."""
    layout = module.LAYOUT
    folder = root / layout.binary
    folder.mkdir(parents=True)
    for name in (*layout.train, layout.test):
        rows = [bytes(n % classes for classes in heads) + bytes([n] * 3072) for n in range(40)]
        (folder / f"{name}.bin").write_bytes(b"".join(rows))


def classes_of_images(root: Path) -> None:
    for part, name, number in ((p, c, n) for p in ("train", "test") for c in "ab" for n in range(12)):
        path = root / "mine" / part / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(9))


def annotated(root: Path) -> None:
    (root / "mhist" / "images").mkdir(parents=True)
    lines = [",".join(mhist.HEADER)]
    for number in range(24):
        name = f"MHIST_{number}.png"
        (root / "mhist" / "images" / name).write_bytes(picture(mhist.SIDE))
        lines.append(f"{name},{mhist.CLASSES[number % 2]},{number % 8},{'train' if number < 16 else 'test'}")
    (root / "mhist" / "annotations.csv").write_text("\n".join(lines) + "\n")


def tiny(root: Path) -> None:
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
    "cifar10": (lambda root: cifar(root, cifar10, (10,)), {"validation": 20}),
    "cifar100": (lambda root: cifar(root, cifar100, (20, 100)), {"validation": 20}),
    "folder": (classes_of_images, {"path": "mine", "size": 8}),
    "mhist": (annotated, {"size": 8}),
    "tiny_imagenet": (tiny, {}),
}


def spoilt(content: bytes, path: Path, random: Random) -> bytes:
    """A file cut, lengthened, flipped, replaced, or a bomb where it is a picture."""
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
        return datasets.load(name, root, **knobs)
    except UserError as error:
        said = str(error)
        assert str(root) in said and len(said) < 2000, said
        return None


@pytest.mark.parametrize("name", SETS)
def test_spoilt_data_sets(name: str, tmp_path: Path, tally) -> None:
    lay, knobs = SETS[name]
    lay(tmp_path / "whole")
    found: Counter[bool] = Counter()
    files = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file())
    # as often a file that describes others as a picture
    files = [each for each in files if each.suffix in (".csv", ".txt", ".bin")] * 4 + files
    root = shutil.copytree(tmp_path / "whole", tmp_path / "root")
    for number in range(TRIES):
        random = Random(f"{name}/{number}")
        path = root / random.choice(files)
        content = path.read_bytes()
        path.write_bytes(spoilt(content, path, random))
        with bounded():
            data = attempt(name, root, knobs)
        if data is not None:
            demand_sound(data)
        found[data is None] += 1
        path.write_bytes(content)
    assert attempt(name, root, knobs) is not None and found[True] > TRIES / 4
    tally(f"spoilt files of {name}", tries=TRIES, note=f"{found[True]} refused, {found[False]} read")


def demand_sound(data: Dataset) -> None:
    """Every image has a label of a class that has a name."""
    for split in (data.train, data.val, data.test):
        assert split.images.dtype == np.uint8 and split.images.ndim == 4
        assert len(split.images) == len(split.labels) and 0 <= split.labels.min() <= split.labels.max() < len(
            data.classes
        )
    assert all(name for name in data.classes)
