"""What can be wrong with the files of any data set: one clear error that names the file, whichever the set."""

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

NOBODY = 65534
# Of each set the files that are spoilt in turn, below the data root.
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

Lay = Callable[[str], dict[str, Any]]


@pytest.fixture
def root() -> Iterator[Path]:
    """A data root that everybody may enter, unlike the folders of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


@pytest.fixture
def lay(root: Path, raw: Path, official: None) -> Lay:
    """Put a whole set below the root; the knobs with which it is read."""

    def written(name: str) -> dict[str, Any]:
        root.mkdir()
        if name == "mnist":
            raw.parent.rename(root / "MNIST")
            return {"validation": 40}
        small = {"tiny_imagenet": {"classes": 4}, "mhist": {"size": 8}}.get(name, {})
        return GENERATORS[name](root, small)

    return written


@contextmanager
def nobody() -> Iterator[None]:
    """A user who is not allowed everything, as root is."""
    if root := os.geteuid() == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def refusal(name: str, root: Path, knobs: dict[str, Any]) -> str:
    """What is said, in one line."""
    with pytest.raises(UserError) as caught:
        load_dataset(name, root, **knobs)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_every_set_that_comes_in_files_is_tried() -> None:
    assert set(FILES) == set(DATASETS) - {"mnist5k", "digits"}


@pytest.mark.parametrize(("name", "file"), SETS)
def test_a_file_that_may_not_be_read_is_named(root: Path, lay: Lay, name: str, file: str) -> None:
    knobs = lay(name)
    assert load_dataset(name, root, **knobs)
    (root / file).chmod(0)
    with nobody():
        said = refusal(name, root, knobs)
    assert str(root / file) in said and "Permission denied" in said


KINDS: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a pipe": os.mkfifo,  # whoever opens it waits for ever
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "an empty file": Path.touch,
    "nothing": lambda path: None,
}


@pytest.mark.parametrize(("name", "file"), SETS)
def test_something_else_in_the_place_of_a_file_is_named(root: Path, lay: Lay, name: str, file: str) -> None:
    knobs, path = lay(name), root / file
    # Classes can go by their numbers, and nobody knows how many files there were in a folder that no list describes.
    dispensable = path.name == "words.txt"
    unlisted = name == "folder" or "train" in path.parts
    for kind, make in KINDS.items():
        path.rename(root / "aside")
        make(path)
        if dispensable or (unlisted and kind == "nothing"):
            assert load_dataset(name, root, **knobs)
        else:
            said = refusal(name, root, knobs)
            assert path.name.removesuffix(".gz") in said and str(root) in said
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        (root / "aside").rename(path)


@pytest.mark.parametrize("name", FILES)
def test_a_root_that_is_a_file_or_closed_is_named(root: Path, lay: Lay, name: str) -> None:
    knobs = lay(name)
    place = root / Path(FILES[name][0]).parts[0]
    place.chmod(0)
    with nobody():
        assert str(root) in refusal(name, root, knobs)
    place.chmod(0o755)
    root.chmod(0)
    with nobody():
        assert str(root) in refusal(name, root, knobs)
    root.rename(root.with_name("elsewhere"))
    root.touch()
    assert str(root) in refusal(name, root, knobs)


# Of the others the md5, the folders or the list say so: see the tests of each.
@pytest.mark.parametrize("name", ["cifar10", "cifar100", "fashion_mnist", "idx"])
def test_images_of_one_class_alone_are_nothing_to_learn(root: Path, lay: Lay, name: str) -> None:
    knobs = lay(name)
    for path in sorted(root.rglob("*")):
        content = np.fromfile(path, np.uint8) if path.is_file() else None
        if content is not None and path.suffix == ".bin":
            content.reshape(-1, 3073 if name == "cifar10" else 3074)[:, :-3072] = 1
            content.tofile(path)
        elif content is not None and "labels" in path.name:
            content[8:] = 1
            content.tofile(path)
    assert "images to train on are of one class, " in refusal(name, root, knobs)
