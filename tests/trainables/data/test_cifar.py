"""CIFAR-10 and CIFAR-100 in both layouts, against torchvision reading the same files."""

from __future__ import annotations

import hashlib
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spaces.errors import UserError
from trainables.data import cifar, cifar10, cifar100, load_dataset
from trainables.data.dataset import Dataset
from trainables.data.locations import MissingFilesError

ROOT = Path(__file__).parents[3]
REAL = Path(os.environ.get("KD_DATA") or ROOT.parent / "shared" / "data")
real = pytest.mark.skipif(not (REAL / "cifar-10-batches-bin").is_dir(), reason="CIFAR-10 is not on this machine")
LAYOUTS = {"cifar10": cifar10.LAYOUT, "cifar100": cifar100.LAYOUT}


def content(layout: cifar.CifarLayout, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels [n, columns], all of them used, and pixels [n, 3072] of one file."""
    rng = np.random.default_rng([layout.max_file_images, sum(name.encode())])
    n = 200 if name == layout.test else 300
    columns = [rng.permutation(np.arange(n) % len(label.classes)) for label in layout.labels]
    return np.stack(columns, axis=1), rng.integers(0, 256, (n, 3072), dtype=np.uint8)


def binary(root: Path, layout: cifar.CifarLayout) -> Path:
    """Write the binary layout."""
    folder = root / layout.binary
    folder.mkdir()
    for name in (*layout.train, layout.test):
        labels, pixels = content(layout, name)
        records = (struct.pack(f"{len(a)}B", *a) + b.tobytes() for a, b in zip(labels, pixels, strict=True))
        (folder / f"{name}.bin").write_bytes(b"".join(records))
    return folder


class Python2(pickle._Pickler):  # type: ignore[name-defined]  # pyright: ignore[reportAttributeAccessIssue]
    """Write like Python 2 with numpy 1, which wrote the published files."""

    dispatch: ClassVar = {**pickle._Pickler.dispatch}  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]

    def save_bytes(self, value: bytes) -> None:
        self.write(b"T" + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    def save_str(self, value: str) -> None:
        self.save_bytes(value.encode("latin1"))

    def save_global(self, value: Any, name: str | None = None) -> None:
        module = "numpy.core.multiarray" if value.__name__ == "_reconstruct" else value.__module__
        self.write(f"c{module}\n{value.__name__}\n".encode())
        self.memoize(value)

    dispatch[bytes], dispatch[str] = save_bytes, save_str


def pickled(value: Any, path: Path) -> str:
    """Write a pickle of Python 2; return its MD5."""
    with path.open("wb") as file:
        Python2(file, protocol=2).dump(value)
    return hashlib.md5(path.read_bytes()).hexdigest()


def python(root: Path, layout: cifar.CifarLayout, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the Python layout, and accept its MD5 as published."""
    folder = root / layout.python
    folder.mkdir()
    for name in (*layout.train, layout.test):
        labels, pixels = content(layout, name)
        columns = {label.key.decode(): column.tolist() for label, column in zip(layout.labels, labels.T, strict=True)}
        monkeypatch.setitem(layout.md5, name, pickled({"data": pixels, **columns}, folder / name))
    return folder


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> cifar.CifarLayout:
    return LAYOUTS[request.param]


def same(data: Dataset, layout: cifar.CifarLayout, column: int) -> bool:
    """Compare a data set with the written files: the test images in order, training and validation in any order."""
    labels, pixels = content(layout, layout.test)
    if data.test.labels.tolist() != labels[:, column].tolist() or data.test.images.tobytes() != pixels.tobytes():
        return False
    written = [pair for name in layout.train for pair in zip(*reversed(content(layout, name)), strict=True)]
    read = [pair for split in (data.train, data.val) for pair in zip(*split, strict=True)]
    return sorted((p.tobytes(), int(n[column])) for p, n in written) == sorted((p.tobytes(), int(n)) for p, n in read)


def knobs(layout: cifar.CifarLayout) -> list[tuple[int, dict[str, Any]]]:
    """Columns of labels in a record, with the knobs that select them."""
    return [(0, {})] if layout.name == "cifar10" else [(1, {}), (1, {"labels": "fine"}), (0, {"labels": "coarse"})]


def test_both_layouts_are_read(tmp_path: Path, layout: cifar.CifarLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    for write in (binary, lambda root, layout: python(root, layout, monkeypatch)):
        root = tmp_path / write.__name__
        root.mkdir()
        folder = write(root, layout)
        for column, values in knobs(layout):
            data = load_dataset(layout.name, root, validation=100, **values)
            assert same(data, layout, column)
            assert data.shape == (3, 32, 32) and data.classes == layout.labels[column].classes
            assert data.sizes == {"train": 300 * len(layout.train) - 100, "val": 100, "test": 200}
            assert data.fingerprint() == load_dataset(layout.name, folder, validation=100, **values).fingerprint()


def test_torchvision_reads_the_same_from_the_python_layout(
    tmp_path: Path, layout: cifar.CifarLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainables.models.torchvision_import import torchvision

    folder = python(tmp_path, layout, monkeypatch)
    theirs = getattr(torchvision.datasets, layout.name.upper())
    names = [name.encode() for name in layout.labels[-1].classes]
    meta = {**theirs.meta, "md5": pickled({theirs.meta["key"]: names}, folder / theirs.meta["filename"])}
    monkeypatch.setattr(theirs, "meta", meta)
    for part, files in (("train_list", layout.train), ("test_list", (layout.test,))):
        monkeypatch.setattr(theirs, part, [[name, layout.md5[name]] for name in files])
    data = load_dataset(layout.name, tmp_path, validation=100)
    test = theirs(tmp_path, train=False)
    assert (test.data.transpose(0, 3, 1, 2) == data.test.images).all() and test.targets == data.test.labels.tolist()
    assert tuple(test.classes) == data.classes
    train = theirs(tmp_path, train=True)
    ours = [(i.tobytes(), int(n)) for split in (data.train, data.val) for i, n in zip(*split, strict=True)]
    pairs = zip(train.data.transpose(0, 3, 1, 2), train.targets, strict=True)
    assert sorted(ours) == sorted((image.tobytes(), label) for image, label in pairs)


def test_md5_are_those_of_torchvision(layout: cifar.CifarLayout) -> None:
    from trainables.models.torchvision_import import torchvision

    theirs = getattr(torchvision.datasets, layout.name.upper())
    assert layout.md5 == dict([*theirs.train_list, *theirs.test_list]) and layout.python == theirs.base_folder


def test_number_and_order_of_classes() -> None:
    """Two of the coarse classes are not in alphabetical order."""
    assert [len(classes) for classes in (cifar10.CLASSES, cifar100.FINE, cifar100.COARSE)] == [10, 100, 20]
    for classes in (cifar10.CLASSES, cifar100.FINE):
        assert list(classes) == sorted(set(classes))


def test_the_binary_layout_is_preferred(tmp_path: Path, layout: cifar.CifarLayout) -> None:
    binary(tmp_path, layout)
    (tmp_path / layout.python).mkdir()
    for name in (*layout.train, layout.test):
        (tmp_path / layout.python / name).write_bytes(b"")
    assert "binary" in load_dataset(layout.name, tmp_path, validation=100).source


FAULTS: dict[str, tuple[Callable[[bytes, int], bytes], str]] = {
    "empty": (lambda data, width: b"", "0 bytes, expected 1 to"),
    "one byte short": (lambda data, width: data[:-1], "bytes, expected 1 to"),
    "one byte long": (lambda data, width: data + b"\0", "bytes, expected 1 to"),
    "label too high": (
        lambda data, width: data[: 7 * width] + b"\xc8" * (width - 3072) + data[8 * width - 3072 :],
        "label 200 at image 7, expected 0 to",
    ),
    "too many": (lambda data, width: bytes(width * 50_001), "records, expected 1 to"),
    "a page": (lambda data, width: b"<html>Welcome to our hotel</html>", "33 bytes, expected 1 to"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults(tmp_path: Path, layout: cifar.CifarLayout, fault: str) -> None:
    change, message = FAULTS[fault]
    folder = binary(tmp_path, layout)
    for name in (layout.train[-1], layout.test):
        path = folder / f"{name}.bin"
        content = path.read_bytes()
        path.write_bytes(change(content, 3072 + len(layout.labels)))
        with pytest.raises(UserError) as caught:
            load_dataset(layout.name, tmp_path)
        assert str(caught.value).startswith(f"{path}: ") and message in str(caught.value)
        path.write_bytes(content)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 9000))
def test_truncated_records_are_refused(tmp_path: Path, more: bytes, length: int) -> None:
    layout = cifar10.LAYOUT
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(np.tile(np.arange(3073, dtype=np.uint8) % 10, 3).tobytes()[:length] + more)
    try:
        n = len(cifar.read_binary_file(path, layout, 0).labels)
        assert n * 3073 == path.stat().st_size > 0
    except UserError as error:
        assert str(error).startswith(f"{path}: ")


def test_missing_files_are_named(tmp_path: Path, layout: cifar.CifarLayout) -> None:
    with pytest.raises(MissingFilesError) as caught:
        load_dataset(layout.name, tmp_path)
    for word in (layout.binary, layout.python, str(tmp_path), "--data DIR", "KD_DATA=DIR", "--download"):
        assert word in str(caught.value)
    (binary(tmp_path, layout) / f"{layout.test}.bin").unlink()
    with pytest.raises(MissingFilesError, match=f"^{layout.name}: no {layout.test}.bin; looked in {tmp_path}"):
        load_dataset(layout.name, tmp_path)


def test_an_unpublished_pickle_is_not_opened(
    tmp_path: Path, layout: cifar.CifarLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = python(tmp_path, layout, monkeypatch)
    monkeypatch.setitem(layout.md5, layout.train[0], "0" * 32)
    with pytest.raises(UserError) as caught:
        load_dataset(layout.name, tmp_path)
    assert str(caught.value).startswith(f"{folder / layout.train[0]}: not opened: a pickle may run code")
    assert f"use the binary layout, {layout.binary}/ instead" in str(caught.value)


@real
def test_the_published_files() -> None:
    """Published results depend on these images: do not change the expected values."""
    images = cifar.read_cifar(cifar10.LAYOUT, 0, REAL, False).train.images
    assert hashlib.sha256(images.tobytes()).hexdigest() == (
        "9d5c2eddadb0deff02c14c350c0385aab7b1d5ff1edfeb4997c8dc8644960111"
    )
    data = load_dataset("cifar10", REAL)
    assert (data.sizes["train"], data.sizes["val"]) == (45_000, 5000)
    assert np.bincount(data.val.labels).tolist() == [500] * 10
    assert data._replace(test=data.val).fingerprint() == "cedbfcf35e765bc808d2101c29174625"
