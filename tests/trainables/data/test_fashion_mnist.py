"""Fashion-MNIST, against torchvision reading the same files."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spaces.errors import UserError
from trainables.data import MissingFilesError, fashion_mnist, load_dataset
from trainables.data.idx import IDX_NAMES

Content = Callable[[np.ndarray], bytes]  # the fixture: an array as an idx file
Serve = Callable[[Callable[[str], tuple[int, bytes, float]]], str]


@pytest.fixture(scope="module")
def clothes(content: Content) -> dict[str, bytes]:
    """Four idx files of 200 + 50 images of 28 by 28 pixels."""
    rng = np.random.default_rng(11)
    images = {n: rng.integers(0, 256, (n, 28, 28), dtype=np.uint8) for n in (200, 50)}
    labels = {n: rng.permutation(np.arange(n, dtype=np.uint8) % 10) for n in (200, 50)}
    return dict(zip(IDX_NAMES, map(content, (images[200], labels[200], images[50], labels[50])), strict=True))


@pytest.fixture
def home(tmp_path: Path, clothes: dict[str, bytes]) -> Path:
    """The files in torchvision's layout, unpacked."""
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, data in clothes.items():
        (folder / name).write_bytes(data)
    return folder


def test_torchvision_reads_the_same(tmp_path: Path, home: Path) -> None:
    from trainables.models.torchvision_import import torchvision

    data = load_dataset("fashion_mnist", tmp_path, validation=40)
    assert data.sizes == {"train": 160, "val": 40, "test": 50} and data.shape == (1, 28, 28)
    test = torchvision.datasets.FashionMNIST(tmp_path, train=False)
    assert (test.data.numpy() == data.test.images[:, 0]).all() and (test.targets.numpy() == data.test.labels).all()
    assert list(data.classes) == test.classes
    train = torchvision.datasets.FashionMNIST(tmp_path, train=True)
    ours = [(i.tobytes(), int(n)) for split in (data.train, data.val) for i, n in zip(*split, strict=True)]
    theirs = zip(train.data.numpy(), train.targets.tolist(), strict=True)
    assert sorted(ours) == sorted((image.tobytes(), label) for image, label in theirs)


def test_md5_and_mirror_are_those_of_torchvision() -> None:
    from trainables.models.torchvision_import import torchvision

    theirs = torchvision.datasets.FashionMNIST
    assert dict(theirs.resources) == fashion_mnist.MD5 and list(fashion_mnist.MIRRORS) == theirs.mirrors


def test_source_names_the_verification(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "contents taken as they are" in load_dataset("fashion_mnist", tmp_path, validation=40).source
    for name in IDX_NAMES:
        packed = gzip.compress((home / name).read_bytes())
        (home / f"{name}.gz").write_bytes(packed)
        (home / name).unlink()
        monkeypatch.setitem(fashion_mnist.MD5, f"{name}.gz", hashlib.md5(packed).hexdigest())
    assert "verified by their md5" in load_dataset("fashion_mnist", tmp_path, validation=40).source


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (IDX_NAMES[0], np.zeros((200, 27, 28)), "images of 27 by 28 pixels, expected 28 by 28"),
        (IDX_NAMES[1], np.full(200, 10), "label 10 at image 0, expected 0 to 9"),
        (IDX_NAMES[3], np.full(50, 77), "label 77 at image 0, expected 0 to 9"),
        (IDX_NAMES[3], np.zeros(49), f"49 labels for the 50 images of {IDX_NAMES[2]}"),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, home: Path, content: Content, name: str, array: np.ndarray, message: str
) -> None:
    (home / name).write_bytes(content(array))
    if array.ndim == 3:
        (home / IDX_NAMES[2]).write_bytes(content(array[:50]))
    with pytest.raises(UserError, match=f"^{home / name}: {re.escape(message)}$"):
        load_dataset("fashion_mnist", tmp_path, validation=40)


def test_only_missing_files_are_fetched_and_verified(
    tmp_path: Path, home: Path, clothes: dict[str, bytes], serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = {f"{name}.gz": gzip.compress(data) for name, data in clothes.items()}
    expected = load_dataset("fashion_mnist", tmp_path, validation=40).fingerprint()
    (home / IDX_NAMES[3]).unlink()
    with pytest.raises(MissingFilesError, match=f"no {IDX_NAMES[3]} .*{home}.*--download"):
        load_dataset("fashion_mnist", tmp_path)
    requests: list[str] = []
    address = serve(lambda name: (requests.append(name) or 200, packed[name], 0))
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (address,))
    with pytest.raises(UserError, match=f"{address}{IDX_NAMES[3]}.gz: altered: its md5 is"):
        load_dataset("fashion_mnist", tmp_path, download=True)
    assert not (home / f"{IDX_NAMES[3]}.gz").exists()
    monkeypatch.setitem(fashion_mnist.MD5, f"{IDX_NAMES[3]}.gz", hashlib.md5(packed[f"{IDX_NAMES[3]}.gz"]).hexdigest())
    assert load_dataset("fashion_mnist", tmp_path, download=True, validation=40).fingerprint() == expected
    assert requests == [f"{IDX_NAMES[3]}.gz"] * 2
