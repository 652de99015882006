"""Folders of images, compared with torchvision's ImageFolder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spaces.errors import UserError
from trainables.data import Dataset, MissingFilesError, load_dataset
from trainables.data.dataset import Split

CLASSES = ("Äpfel", "b c", "d")


def fill(base: Path, seed: int, n: int, classes: tuple[str, ...] = CLASSES) -> None:
    """Write n images of 8 by 8 pixels for each class, all different."""
    rng = np.random.default_rng(seed)
    for label in classes:
        (base / label).mkdir(parents=True)
        for number in range(n):
            image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            image.save(base / label / f"{number}.{('png', 'bmp', 'PNG')[number % 3]}")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Three classes of twenty images."""
    fill(tmp_path / "mine", 1, 20)
    return tmp_path / "mine"


@pytest.fixture
def divided(tmp_path: Path) -> Path:
    """A folder with train, val and test."""
    for seed, (part, n) in enumerate({"train": 20, "val": 4, "test": 7}.items()):
        fill(tmp_path / "mine" / part, seed, n)
    return tmp_path / "mine"


def theirs(folder: Path) -> list[tuple[bytes, str]]:
    from trainables.models.torchvision_import import torchvision

    images = torchvision.datasets.ImageFolder(folder)
    return sorted((np.asarray(image).transpose(2, 0, 1).tobytes(), images.classes[label]) for image, label in images)


def ours(data: Dataset, *splits: Split) -> list[tuple[bytes, str]]:
    return sorted((i.tobytes(), data.classes[n]) for split in splits for i, n in zip(*split, strict=True))


def test_an_undivided_folder_is_split(tmp_path: Path, plain: Path) -> None:
    data = load_dataset("folder", tmp_path, path="mine", size=8)
    assert data.sizes == {"train": 42, "val": 6, "test": 12} and data.shape == (3, 8, 8)
    assert sorted(data.classes) == sorted(CLASSES)
    assert [np.bincount(split.labels).tolist() for split in data[:3]] == [[14] * 3, [2] * 3, [4] * 3]
    assert ours(data, data.train, data.val, data.test) == theirs(plain)
    for split in data[:3]:
        assert split.images.dtype == np.uint8 and split.labels.dtype == np.int64


def test_shares(tmp_path: Path, plain: Path) -> None:
    assert load_dataset("folder", tmp_path, path="mine", size=8, test=0.5, validation=0.25).sizes == {
        "train": 15, "val": 15, "test": 30,
    }  # fmt: skip


def test_a_divided_folder_is_read_as_it_is(tmp_path: Path, divided: Path) -> None:
    data = load_dataset("folder", tmp_path, path="mine", size=8)
    for part in ("train", "val", "test"):
        assert ours(data, getattr(data, part)) == theirs(divided / part)


def test_validation_is_split_off_without_val(tmp_path: Path, divided: Path) -> None:
    shutil.rmtree(divided / "val")
    data = load_dataset("folder", tmp_path, path="mine", size=8, validation=0.2)
    assert data.sizes == {"train": 48, "val": 12, "test": 21}
    assert ours(data, data.train, data.val) == theirs(divided / "train")
    assert ours(data, data.test) == theirs(divided / "test")


def test_the_fingerprint_does_not_depend_on_the_path(tmp_path: Path, plain: Path) -> None:
    shutil.copytree(plain, tmp_path / "a" / "b")
    fingerprints = {load_dataset("folder", root, path=str(path), size=8).fingerprint() for root, path in (
        (tmp_path, "mine"), (tmp_path / "nowhere", plain), (tmp_path, "a/b"), (plain, "."),
    )}  # fmt: skip
    assert len(fingerprints) == 1


def test_hidden_and_system_files_are_ignored(tmp_path: Path, plain: Path) -> None:
    expected = load_dataset("folder", tmp_path, path="mine", size=8).fingerprint()
    for name in (".DS_Store", "d/.DS_Store", "d/Thumbs.db", "d/desktop.ini", "README.txt"):
        (plain / name).write_bytes(b"whatever")
    (plain / ".git").mkdir()
    (plain / "loop").symlink_to("loop")
    assert load_dataset("folder", tmp_path, path="mine", size=8).fingerprint() == expected


def test_mixed_modes_and_sizes(tmp_path: Path) -> None:
    for label, mode in (("a", "CMYK"), ("a", "L"), ("b", "P"), ("b", "RGBA"), ("b", "1"), ("a", "I;16")):
        for number in range(4):
            path = tmp_path / label / f"{mode.replace(';', '')}{number}.tif"
            path.parent.mkdir(exist_ok=True)
            Image.new("L", (5 + number, 9), 255).convert(mode).save(path)
    data = load_dataset("folder", tmp_path, path=".", size=6)
    assert data.shape == (3, 6, 6) and sum(data.sizes.values()) == 24


def save(name: str) -> Callable[[Path], object]:
    return lambda base: Image.new("RGB", (8, 8)).save(base / name)


def emptied(base: Path) -> None:
    shutil.rmtree(base / "d")
    (base / "d").mkdir()


FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "an empty class": (emptied, "d", "no image, expected files .avif"),
    "one class": (lambda b: [shutil.rmtree(b / "d"), shutil.rmtree(b / "b c")], "", "1 sub-folders, expected at least"),
    "no class": (lambda b: [shutil.rmtree(p) for p in b.iterdir()], "", "0 sub-folders, expected at least two"),
    "an image beside": (save("a.png"), "a.png", "an image beside the class folders"),
    "a damaged image": (lambda b: (b / "d/0.png").write_bytes(b"x"), "d/0.png", "not a readable image"),
    "an empty image": (lambda b: (b / "d/0.png").write_bytes(b""), "d/0.png", "not a readable image"),
    "a broken link": (lambda b: (b / "d/a.png").symlink_to("nowhere"), "d/a.png", "cannot be read"),
    "a name in another encoding": (lambda b: (b / "d").rename(b / "\udcfc"), "", "'\\udcfc' cannot be the name of"),
    "a name of two lines": (lambda b: (b / "d").rename(b / "a\nb"), "", "'a\\nb' cannot be the name of a class"),
    "train alone": (
        lambda b: [shutil.rmtree(b / "d"), shutil.rmtree(b / "b c"), (b / "Äpfel").rename(b / "train")],
        "",
        "found train, but its images are not in class folders",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(tmp_path: Path, plain: Path, fault: str) -> None:
    change, place, message = FAULTS[fault]
    change(plain)
    with pytest.raises(UserError) as caught:
        load_dataset("folder", tmp_path, path="mine", size=8)
    assert str(caught.value).startswith(f"{plain / place}: ") and message in str(caught.value)


def test_parts_with_other_classes_are_refused(tmp_path: Path, divided: Path) -> None:
    (divided / "test" / "d").rename(divided / "test" / "e")
    with pytest.raises(UserError, match=f"^{divided / 'test'}: other classes than train has: only one of them has d"):
        load_dataset("folder", tmp_path, path="mine", size=8)


@pytest.mark.parametrize(("knob", "part"), [("test", "test"), ("validation", "val")])
def test_a_share_beside_a_split_folder_is_refused(tmp_path: Path, divided: Path, knob: str, part: str) -> None:
    with pytest.raises(
        UserError, match=f"^data.{knob}: not allowed, because {part} images exist, such as {divided / part}/"
    ):
        load_dataset("folder", tmp_path, path="mine", size=8, **{knob: 0.3})


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_images_are_refused(tmp_path: Path, n: int) -> None:
    fill(tmp_path / "mine", 1, n)
    with pytest.raises(UserError, match=f"^{tmp_path / 'mine'}: .*(too few|is left in the)"):
        load_dataset("folder", tmp_path, path="mine", size=8)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({}, "data.path: missing"),
        ({"path": "mine", "size": 0}, "data.size: "),
        ({"path": "mine", "test": 1.0}, "data.test: "),
        ({"path": "mine", "validation": 5000}, "data.validation: "),
    ],
)
def test_wrong_knobs_are_refused(tmp_path: Path, plain: Path, knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        load_dataset("folder", tmp_path, **knobs)


def test_unknown_home_folders(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^~nosuchuser/mine: no such home folder$"):
        load_dataset("folder", tmp_path, path="~nosuchuser/mine")
    with pytest.raises(UserError, match=r"^~nosuchuser: no such home folder$"):
        load_dataset("folder", Path("~nosuchuser"), path="mine")


def test_an_absent_folder_is_missing_and_a_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingFilesError, match=f"no mine; looked in {tmp_path / 'mine'}; .*--data DIR .*KD_DATA=DIR"):
        load_dataset("folder", tmp_path, path="mine")
    (tmp_path / "mine").touch()
    with pytest.raises(UserError, match=f"^{tmp_path / 'mine'}: cannot be read \\(Not a directory\\)"):
        load_dataset("folder", tmp_path, path="mine")


def test_groups_join_classes(tmp_path: Path, plain: Path) -> None:
    data = load_dataset("folder", tmp_path, path="mine", size=8, groups=[["Äpfel", "d"], ["b c"]])
    assert data.classes == ("Äpfel+d", "b c") and np.bincount(data.test.labels).tolist() == [8, 4]
