"""Tiny-ImageNet's layout, compared with torchvision's ImageFolder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaces.errors import UserError
from trainables.data import MissingFilesError, load_dataset

CLASSES = ("n00000007", "n00000003", "n00000005")  # unsorted: the order of wnids.txt counts
WORDS = "n00000003\ttench, Tinca tinca\nn00000005\tcrane\nn00000007\tcrane, other\nn00000009\tunused\n"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Three classes with ten training and four test images; the last of each is gray."""
    base = tmp_path / "tiny-imagenet-200"
    rng = np.random.default_rng(13)

    def save(path: Path, gray: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (64, 64) if gray else (64, 64, 3), dtype=np.uint8)).save(path)

    lines = []
    for number, name in enumerate(CLASSES):
        for n in range(10):
            save(base / "train" / name / "images" / f"{name}_{n}.JPEG", n == 9)
        (base / "train" / name / f"{name}_boxes.txt").write_text("")
        for n in range(number, 12, 3):
            save(base / "val" / "images" / f"val_{n}.JPEG", n > 8)
            lines.append(f"val_{n}.JPEG\t{name}\t0\t0\t63\t63\n")
    (base / "val" / "val_annotations.txt").write_text("".join(lines))
    (base / "wnids.txt").write_text("\n".join(CLASSES) + "\n")
    (base / "words.txt").write_text(WORDS)
    return base


def pixels(image: Image.Image) -> bytes:
    return np.asarray(image).transpose(2, 0, 1).tobytes()


def test_torchvision_reads_the_same(tmp_path: Path, base: Path) -> None:
    from trainables.models.torchvision_import import torchvision

    data = load_dataset("tiny_imagenet", tmp_path)
    assert data.sizes == {"train": 27, "val": 3, "test": 12} and data.shape == (3, 64, 64)
    theirs = torchvision.datasets.ImageFolder(base / "train")  # looks into sub-folders, too
    written = sorted((pixels(image), theirs.classes[label]) for image, label in theirs)
    ours = [(i.tobytes(), CLASSES[n]) for split in (data.train, data.val) for i, n in zip(*split, strict=True)]
    assert sorted(ours) == written
    for n, (image, label) in enumerate(zip(*data.test, strict=True)):
        name = sorted(f"val_{n}.JPEG" for n in range(12))[n]
        number = int(name.removeprefix("val_").removesuffix(".JPEG"))
        assert image.tobytes() == pixels(torchvision.datasets.folder.pil_loader(base / "val" / "images" / name))
        assert label == number % 3


def test_classes_are_named_by_unique_words(tmp_path: Path, base: Path) -> None:
    assert load_dataset("tiny_imagenet", tmp_path).classes == ("n00000007", "tench", "n00000005")
    (base / "words.txt").unlink()
    assert load_dataset("tiny_imagenet", tmp_path).classes == CLASSES


def test_fewer_classes(tmp_path: Path, base: Path) -> None:
    data = load_dataset("tiny_imagenet", tmp_path, classes=2, validation=4)
    assert data.sizes == {"train": 16, "val": 4, "test": 8} and data.classes == ("crane", "tench")
    shutil.rmtree(base / "train" / CLASSES[0])  # its test images belong to no class
    data = load_dataset("tiny_imagenet", tmp_path)
    assert data.classes == ("tench", "crane") and data.sizes["test"] == 8
    assert set(data.test.labels) == {0, 1}
    with pytest.raises(UserError, match=f"^{base / 'train'}: 2 classes of wnids.txt, expected at least 3"):
        load_dataset("tiny_imagenet", tmp_path, classes=3)
    with pytest.raises(UserError, match=r"^data.classes: "):
        load_dataset("tiny_imagenet", tmp_path, classes=1)


@pytest.mark.parametrize("name", ["tiny-imagenet-200", "tiny-imagenet-20", "tiny-imagenet", "."])
def test_the_fingerprint_does_not_depend_on_the_path(tmp_path: Path, base: Path, name: str) -> None:
    expected = load_dataset("tiny_imagenet", tmp_path).fingerprint()
    moved = tmp_path / "elsewhere" / name
    shutil.copytree(base, moved, dirs_exist_ok=True)
    assert load_dataset("tiny_imagenet", tmp_path / "elsewhere").fingerprint() == expected


def replaced(name: str, text: str) -> Callable[[Path], object]:
    return lambda base: (base / name).write_text(text)


def image(name: str, side: int) -> Callable[[Path], object]:
    return lambda base: Image.new("RGB", (side, side)).save(base / name)


ANNOTATIONS, LINE = "val/val_annotations.txt", "val_0.JPEG\tn00000007\t0\t0\t1\t1\n"
FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "unknown folder": (lambda b: (b / "train" / "n1").mkdir(), "train/n1", "not the folder of a class: wnids.txt does"),
    "listed twice": (replaced("wnids.txt", "n00000007\n" * 2), "wnids.txt:2", "n00000007 is already on line 1"),
    "a list of pairs": (replaced("wnids.txt", "n00000007\tx\n"), "wnids.txt:1", "2 columns between tabs, expected 1"),
    "no text": (lambda b: (b / "wnids.txt").write_bytes(b"\xff\xfe"), "wnids.txt", "not UTF-8 text"),
    "a pipe": (
        lambda b: [(b / ANNOTATIONS).unlink(), os.mkfifo(b / ANNOTATIONS)],  # opening it blocks for ever
        ANNOTATIONS,
        "expected a regular file",
    ),
    "no train": (lambda b: shutil.rmtree(b / "train"), "train", "cannot be read (No such file"),
    "no images": (lambda b: shutil.rmtree(b / "train/n00000005/images"), "train/n00000005/images", "cannot be read"),
    "others only": (
        lambda b: [p.rename(p.with_suffix(".txt")) for p in (b / "train/n00000005/images").iterdir()],
        "train/n00000005/images/n00000005_0.txt",
        "no image, expected a file *.JPEG",
    ),
    "nothing at all": (
        lambda b: [p.unlink() for p in (b / "train/n00000005/images").iterdir()],
        "train/n00000005/images",
        "no image, expected files *.JPEG",
    ),
    "another kind": (
        lambda b: (b / "train/n00000005/images/n00000005_4.JPEG").rename(b / "train/n00000005/images/a.jpg"),
        "train/n00000005/images/a.jpg",
        "no image, expected a file *.JPEG",
    ),
    "no list": (lambda b: (b / ANNOTATIONS).unlink(), ANNOTATIONS, "cannot be read (No such file"),
    "a short line": (replaced(ANNOTATIONS, LINE + "val_1.JPEG\n"), f"{ANNOTATIONS}:2", "1 columns between tabs"),
    "an image twice": (replaced(ANNOTATIONS, LINE * 2), f"{ANNOTATIONS}:2", "val_0.JPEG is listed more than once"),
    "an unknown class": (
        replaced(ANNOTATIONS, LINE + LINE.replace("val_0", "val_1").replace("7", "6")),
        f"{ANNOTATIONS}:2",
        "n00000006 is no class of wnids.txt; did you mean n0000000",
    ),
    "a list that breaks off": (
        lambda b: (b / ANNOTATIONS).write_text("".join((b / ANNOTATIONS).read_text().splitlines(True)[:-1])),
        ANNOTATIONS,
        "no line for val_11.JPEG, which is in images/",
    ),
    "a class without": (
        lambda b: [
            (b / ANNOTATIONS).write_text(LINE),
            *(p.unlink() for p in (b / "val/images").iterdir() if p.name != "val_0.JPEG"),
        ],
        ANNOTATIONS,
        "lists no image of n00000003",
    ),
    "an escape": (replaced(ANNOTATIONS, "../" + LINE), f"{ANNOTATIONS}:1", "found '../val_0.JPEG', expected the name"),
    "an absent image": (lambda b: (b / "val/images/val_3.JPEG").unlink(), "val/images/val_3.JPEG", "cannot be read"),
    "a small image": (image("val/images/val_3.JPEG", 32), "val/images/val_3.JPEG", "of 32 by 32 pixels, expected 64"),
    "a damaged image": (replaced("val/images/val_3.JPEG", "x"), "val/images/val_3.JPEG", "not a readable image"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(tmp_path: Path, base: Path, fault: str) -> None:
    change, path, message = FAULTS[fault]
    change(base)
    with pytest.raises(UserError) as caught:
        load_dataset("tiny_imagenet", tmp_path)
    assert str(caught.value).startswith(f"{base / path}: ") and message in str(caught.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFilesError) as caught:
        load_dataset("tiny_imagenet", tmp_path)
    for word in ("wnids.txt", "tiny-imagenet-200", str(tmp_path), "--data DIR", "KD_DATA=DIR", "--download"):
        assert word in str(caught.value)
