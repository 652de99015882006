"""Faults common to all data sets: each gives one line that names the file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.errors import UserError
from trainables.data import DATASETS, load_dataset
from trainables.data.generated import GENERATORS

UNPRIVILEGED_USER = 65534
# Files of each data set, below the data root, that are damaged in turn.
FILES = {
    "mnist": ["MNIST/raw/train-images-idx3-ubyte.gz", "MNIST/raw/t10k-labels-idx1-ubyte.gz"],
    "idx": ["idx/train-images-idx3-ubyte", "idx/t10k-labels-idx1-ubyte"],
    "fashion_mnist": ["FashionMNIST/raw/train-labels-idx1-ubyte", "FashionMNIST/raw/t10k-images-idx3-ubyte"],
    "cifar10": ["cifar-10-batches-bin/data_batch_1.bin", "cifar-10-batches-bin/test_batch.bin"],
    "cifar100": ["cifar-100-binary/train.bin", "cifar-100-binary/test.bin"],
    "tiny_imagenet": [
        *("wnids.txt", "words.txt", "val/val_annotations.txt", "val/images/val_3.JPEG"),
        "train/n00000002/images/n00000002_2.JPEG",
    ],
    "mhist": ["mhist/annotations.csv", "mhist/images/MHIST_70.png"],
    "folder": ["images/b/1.png"],
}
FILES["tiny_imagenet"] = [f"tiny-imagenet-200/{name}" for name in FILES["tiny_imagenet"]]
SETS = [pytest.param(name, file, id=f"{name}-{Path(file).name}") for name, files in FILES.items() for file in files]

Write = Callable[[str], dict[str, Any]]


@pytest.fixture
def root() -> Iterator[Path]:
    """A data root readable by all users, unlike the folders of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


@pytest.fixture
def write_data(root: Path, raw: Path, official: None) -> Write:
    """Return a function: write a data set into the root, return its knobs."""

    def write(name: str) -> dict[str, Any]:
        root.mkdir()
        if name == "mnist":
            raw.parent.rename(root / "MNIST")
            return {"validation": 40}
        small = {"tiny_imagenet": {"classes": 4}, "mhist": {"size": 8}}.get(name, {})
        return GENERATORS[name](root, small)

    return write


@contextmanager
def as_unprivileged_user() -> Iterator[None]:
    """Drop root's permissions for a while."""
    if root := os.geteuid() == 0:
        os.seteuid(UNPRIVILEGED_USER)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def error_line(name: str, root: Path, knobs: dict[str, Any]) -> str:
    """Return the message of the UserError: a line, and for a folder of images a second one with counts."""
    with pytest.raises(UserError) as caught:
        load_dataset(name, root, **knobs)
    assert len(str(caught.value).splitlines()) <= (2 if name == "folder" else 1)
    return str(caught.value)


def test_every_data_set_with_files_is_covered() -> None:
    assert set(FILES) == set(DATASETS) - {"mnist5k", "digits"}


@pytest.mark.parametrize(("name", "file"), SETS)
def test_an_unreadable_file_is_named(root: Path, write_data: Write, name: str, file: str) -> None:
    knobs = write_data(name)
    assert load_dataset(name, root, **knobs)
    (root / file).chmod(0)
    with as_unprivileged_user():
        message = error_line(name, root, knobs)
    assert str(root / file) in message and "Permission denied" in message


KINDS: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a pipe": os.mkfifo,  # opening it blocks for ever
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "an empty file": Path.touch,
    "nothing": lambda path: None,
}


@pytest.mark.parametrize(("name", "file"), SETS)
def test_other_objects_instead_of_a_file_are_named(root: Path, write_data: Write, name: str, file: str) -> None:
    knobs, path = write_data(name), root / file
    # Classes can be named by their numbers, and a missing file is not noticed in a folder without a list.
    optional = path.name == "words.txt"
    unlisted = name == "folder" or "train" in path.parts
    ignored = {"nothing"} | ({"a folder"} if name == "folder" else set())  # a class may have sub-folders
    for kind, make in KINDS.items():
        path.rename(root / "aside")
        make(path)
        if optional or (unlisted and kind in ignored):
            assert load_dataset(name, root, **knobs)
        else:
            message = error_line(name, root, knobs)
            assert path.name.removesuffix(".gz") in message and str(root) in message
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        (root / "aside").rename(path)


@pytest.mark.parametrize("name", FILES)
def test_unreadable_roots_are_named(root: Path, write_data: Write, name: str) -> None:
    knobs = write_data(name)
    folder = root / Path(FILES[name][0]).parts[0]
    folder.chmod(0)
    with as_unprivileged_user():
        assert str(root) in error_line(name, root, knobs)
    folder.chmod(0o755)
    root.chmod(0)
    with as_unprivileged_user():
        assert str(root) in error_line(name, root, knobs)
    root.rename(root.with_name("elsewhere"))
    root.touch()
    assert str(root) in error_line(name, root, knobs)


# Other data sets detect this by MD5, folders or lists: see their tests.
@pytest.mark.parametrize("name", ["cifar10", "cifar100", "fashion_mnist", "idx"])
def test_images_of_a_single_class_are_refused(root: Path, write_data: Write, name: str) -> None:
    knobs = write_data(name)
    for path in sorted(root.rglob("*")):
        content = np.fromfile(path, np.uint8) if path.is_file() else None
        if content is not None and path.suffix == ".bin":
            content.reshape(-1, 3073 if name == "cifar10" else 3074)[:, :-3072] = 1
            content.tofile(path)
        elif content is not None and "labels" in path.name:
            content[8:] = 1
            content.tofile(path)
    assert "training images are of one class, " in error_line(name, root, knobs)
