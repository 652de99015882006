"""MHIST's layout with generated images; its own may not be redistributed."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from spaces.errors import UserError
from trainables.data import MissingFilesError, load_dataset

HEADER = "Image Name,Majority Vote Label,Number of Annotators who Selected SSA (Out of 7),Partition"
VOTES = {"HP": "2", "SSA": "5"}


@pytest.fixture
def pixels() -> np.ndarray:
    """24 images, all different, of a few colored squares, which keeps files small."""
    return np.random.default_rng(17).integers(0, 256, (24, 7, 7, 3), dtype=np.uint8).repeat(32, 1).repeat(32, 2)


@pytest.fixture
def base(tmp_path: Path, pixels: np.ndarray) -> Path:
    """The layout: a third of the images are SSA, a quarter are test images."""
    (tmp_path / "mhist" / "images").mkdir(parents=True)
    with open(tmp_path / "mhist" / "annotations.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(next(csv.reader([HEADER])))
        for n, image in enumerate(pixels):
            Image.fromarray(image).save(tmp_path / "mhist" / "images" / f"MHIST_a{n}.png")
            label = ("SSA", "HP", "HP")[n % 3]
            table.writerow([f"MHIST_a{n}.png", label, VOTES[label], "test" if n % 4 == 0 else "train"])
    return tmp_path / "mhist"


def test_partition_and_labels(tmp_path: Path, base: Path, pixels: np.ndarray) -> None:
    data = load_dataset("mhist", tmp_path, validation=4)
    assert data.sizes == {"train": 14, "val": 4, "test": 6} and data.shape == (3, 224, 224)
    assert data.classes == ("HP", "SSA")
    number = {image.transpose(2, 0, 1).tobytes(): n for n, image in enumerate(pixels)}
    test_numbers = [number[image.tobytes()] for image in data.test.images]
    assert test_numbers == list(range(0, 24, 4))
    assert data.test.labels.tolist() == [int(n % 3 == 0) for n in test_numbers]
    pairs = [(number[i.tobytes()], int(n)) for split in (data.train, data.val) for i, n in zip(*split, strict=True)]
    assert sorted(pairs) == [(n, int(n % 3 == 0)) for n in range(24) if n % 4]


def test_images_may_be_smaller(tmp_path: Path, base: Path, pixels: np.ndarray) -> None:
    data = load_dataset("mhist", tmp_path, size=7)
    assert data.shape == (3, 7, 7) and data.sizes["val"] == 1  # a tenth
    first = np.asarray(Image.fromarray(pixels[0]).resize((7, 7), Image.Resampling.BILINEAR))
    assert (data.test.images[0] == first.transpose(2, 0, 1)).all()


@pytest.mark.parametrize("name", ["mhist", "MHIST", "."])
def test_the_fingerprint_does_not_depend_on_the_path(tmp_path: Path, base: Path, name: str) -> None:
    expected = load_dataset("mhist", tmp_path, size=7).fingerprint()
    (tmp_path / "elsewhere").mkdir()
    base.rename(tmp_path / "elsewhere" / name if name != "." else tmp_path / "there")
    root = tmp_path / "there" if name == "." else tmp_path / "elsewhere"
    assert load_dataset("mhist", root, size=7).fingerprint() == expected


GOOD = "MHIST_a0.png,SSA,5,test"
FAULTS = {
    "no header": (GOOD, "1: found MHIST_a0.png,SSA,5,test, expected Image Name"),
    "another header": ("Image,Label,Votes,Split", "1: found Image,Label,Votes,Split, expected Image Name"),
    "empty": ("", "1: found , expected Image Name"),
    "a column less": (f"{HEADER}\nMHIST_a0.png,SSA,test", "2: 3 columns, expected 4"),
    "another label": (f"{HEADER}\n{GOOD}\nMHIST_a1.png,SAA,5,test", "3: label SAA; did you mean SSA?"),
    "eight votes": (f"{HEADER}\nMHIST_a0.png,SSA,8,test", "2: 8 annotators, expected 0 to 7"),
    "votes in words": (f"{HEADER}\nMHIST_a0.png,SSA,five,test", "2: five annotators, expected 0 to 7"),
    "another partition": (f"{HEADER}\nMHIST_a0.png,SSA,5,tset", "2: partition tset; did you mean test?"),
    "in both partitions": (f"{HEADER}\n{GOOD}\nMHIST_a0.png,SSA,5,train", "3: MHIST_a0.png is listed more than once"),
    "an escape": (f"{HEADER}\n../a.png,SSA,5,test", "2: found '../a.png', expected the name of a file in images/"),
    "an open quote": (f'{HEADER}\n"MHIST_a0.png,SSA,5,test', "2: 1 columns, expected 4"),
    "nothing to train on": (f"{HEADER}\n{GOOD}\nMHIST_a1.png,HP,1,test", " no image of HP in partition train"),
    "one class": (
        f"{HEADER}\n{GOOD}\nMHIST_a1.png,HP,1,test\nMHIST_a2.png,HP,0,train",
        " no image of SSA in partition train",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(tmp_path: Path, base: Path, fault: str) -> None:
    text, message = FAULTS[fault]
    (base / "annotations.csv").write_text(text)
    with pytest.raises(UserError, match=f"^{base / 'annotations.csv'}:{re.escape(message)}"):
        load_dataset("mhist", tmp_path)


@pytest.mark.parametrize(("name", "message"), [("nowhere.png", "cannot be read"), ("a\0b.png", "(cannot be|no line)")])
def test_an_absent_image_is_named(tmp_path: Path, base: Path, name: str, message: str) -> None:
    with open(base / "annotations.csv", "a") as file:
        file.write(f"{name},HP,1,train\n")
    with pytest.raises(UserError, match=f"^{base}.*: {message}"):
        load_dataset("mhist", tmp_path)


def test_a_truncated_list_is_refused(tmp_path: Path, base: Path) -> None:
    path = base / "annotations.csv"
    path.write_text("".join(path.read_text().splitlines(True)[:-1]))
    (base / "images" / "README.txt").touch()
    with pytest.raises(UserError, match=f"^{path}: no line for MHIST_a23.png, which is in images/$"):
        load_dataset("mhist", tmp_path)


def test_another_size_is_named(tmp_path: Path, base: Path) -> None:
    Image.new("RGB", (224, 223)).save(base / "images" / "MHIST_a9.png")
    with pytest.raises(UserError, match=r"MHIST_a9.png: an image of 224 by 223 pixels, expected 224 by 224"):
        load_dataset("mhist", tmp_path)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.booleans())
def test_other_tables_are_refused(tmp_path: Path, base: Path, junk: bytes, headed: bool) -> None:
    (base / "annotations.csv").write_bytes(f"{HEADER}\n".encode() * headed + junk)
    with pytest.raises(UserError, match=f"^{base}"):
        load_dataset("mhist", tmp_path)


def test_missing_files_are_named_with_their_source(tmp_path: Path) -> None:
    with pytest.raises(MissingFilesError) as caught:
        load_dataset("mhist", tmp_path, download=True)  # the images cannot be downloaded
    for word in (
        "annotations.csv",
        str(tmp_path / "mhist"),
        "--data DIR",
        "KD_DATA=DIR",
        "request it from its authors",
    ):
        assert word in str(caught.value)
