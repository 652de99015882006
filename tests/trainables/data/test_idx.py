from __future__ import annotations

import gzip
import shutil
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from spaces.errors import UserError
from trainables.data.idx import idx, read_idx
from trainables.data.locations import MissingFilesError

Content = Callable[[np.ndarray], bytes]  # the fixture: array -> idx file

IMAGES, LABELS, TEST_IMAGES, TEST_LABELS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=7)))
def test_written_arrays_are_read(tmp_path_factory: pytest.TempPathFactory, content: Content, array: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("idx")
    (folder / "plain").write_bytes(content(array))
    (folder / "packed.gz").write_bytes(gzip.compress(content(array)))
    for name in ("plain", "packed.gz"):
        read = read_idx(folder / name, array.ndim)
        assert read.shape == array.shape and read.dtype == np.uint8 and (read == array).all()


@given(cut=st.floats(0, 1, exclude_max=True), packed=st.booleans())
def test_truncated_files_are_refused(
    tmp_path_factory: pytest.TempPathFactory, content: Content, cut: float, packed: bool
) -> None:
    file = content(np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    file = gzip.compress(file) if packed else file
    path = tmp_path_factory.mktemp("idx") / ("file.gz" if packed else "file")
    path.write_bytes(file[: int(cut * len(file))])
    with pytest.raises(UserError, match=f"^{path}: "):
        read_idx(path, 3)


@given(st.binary(max_size=200), st.booleans())
def test_other_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, junk: bytes, packed: bool) -> None:
    path = tmp_path_factory.mktemp("idx") / "file.gz"
    path.write_bytes(gzip.compress(junk) if packed else junk)
    with pytest.raises(UserError, match=f"^{path}: "):
        read_idx(path, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (struct.pack(">II", 0x803, 5) + bytes(5), "starts with 00000803, expected the magic number 00000801"),
        (struct.pack("<II", 0x801, 5) + bytes(5), "starts with 01080000"),
        (struct.pack(">II", 0xD01, 5) + bytes(20), "starts with 00000d01"),  # floats
        (b"", "starts with nothing"),
        (b"\0\0\x08\x01\0\0", "ends after 6 bytes, within its header"),
        (struct.pack(">II", 0x801, 5) + bytes(4), "only 4 bytes of data after its header, expected 5"),
        (struct.pack(">II", 0x801, 5) + bytes(6), "more bytes of data after its header, expected 5"),
        (struct.pack(">II", 0x801, 0), "declares the shape (0,), expected 1 to"),
        (struct.pack(">II", 0x801, 2**32 - 1), "declares the shape (4294967295,), expected 1 to 2,147,483,648"),
    ],
)
def test_faults(tmp_path: Path, data: bytes, message: str) -> None:
    for name, stored in (("labels", data), ("labels.gz", gzip.compress(data))):
        (tmp_path / name).write_bytes(stored)
        with pytest.raises(UserError) as caught:
            read_idx(tmp_path / name, 1)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert message in str(caught.value)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{tmp_path}: cannot be read "):
        read_idx(tmp_path, 1)


def test_a_decompression_bomb_uses_little_memory(tmp_path: Path) -> None:
    """50 MB of zeros in 200 kB, behind a header that declares a hundred bytes, and behind one that declares 2 GB."""
    for declared, message in ((100, "more bytes of data"), (2**31, "only 50,000,000")):
        path = tmp_path / f"{declared}.gz"
        path.write_bytes(gzip.compress(struct.pack(">II", 0x801, declared) + bytes(50_000_000), compresslevel=1))
        if declared == 100:
            tracemalloc.start()
        with pytest.raises(UserError, match=message):
            read_idx(path, 1)
        if declared == 100:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 5e6


def test_four_files(raw: Path, contents: dict[str, bytes]) -> None:
    data = idx(raw.parents[1], False, folder="MNIST", validation=30)
    assert data.sizes == {"train": 170, "val": 30, "test": 50}
    assert data.shape == (1, 6, 5)
    assert data.classes == tuple("0123456789")
    assert np.bincount(data.val.labels).tolist() == [3] * 10
    assert data.test.images.tobytes() == contents[TEST_IMAGES][16:]
    assert data.test.labels.tolist() == list(contents[TEST_LABELS][8:])
    again = idx(raw, False, folder=".", validation=30)
    assert data.fingerprint() == again.fingerprint()


def test_unpacked_files_give_the_same(raw: Path, contents: dict[str, bytes]) -> None:
    packed = idx(raw, False, folder=".", validation=30).fingerprint()
    for name, data in contents.items():
        (raw / name).write_bytes(data)
        (raw / f"{name}.gz").unlink()
    assert idx(raw, False, folder=".", validation=30).fingerprint() == packed


def test_labels_need_not_start_at_zero(raw: Path, arrays: dict[str, np.ndarray], content: Content) -> None:
    """EMNIST's letters are 1 to 26."""
    for name in (LABELS, TEST_LABELS):
        (raw / name).write_bytes(content(arrays[name] * 2 + 1))
    data = idx(raw, False, folder=".", validation=30)
    assert data.classes == tuple(str(label) for label in range(1, 20, 2))
    assert data.test.labels.tolist() == arrays[TEST_LABELS].tolist()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (LABELS, lambda a: a[:-1], "199 labels for the 200 images of train-images-idx3-ubyte.gz"),
        (TEST_IMAGES, lambda a: a[:, 1:], "images of 5 by 5, but those to train on are of 6 by 5"),
        (TEST_LABELS, lambda a: a + 2, "label 10 does not occur among the training labels"),
    ],
)
def test_files_that_do_not_fit(
    raw: Path, arrays: dict[str, np.ndarray], content: Content, name: str, change: Callable, message: str
) -> None:
    (raw / name).write_bytes(content(change(arrays[name])))
    with pytest.raises(UserError) as caught:
        idx(raw, False, folder=".", validation=30)
    assert str(caught.value) == f"{raw / name}: {message}"


def test_missing_files_are_named(raw: Path) -> None:
    (raw / f"{LABELS}.gz").unlink()
    with pytest.raises(MissingFilesError, match=f"{LABELS}.* in {raw}"):
        idx(raw, True, folder=".", validation=30)
    shutil.rmtree(raw)
    with pytest.raises(MissingFilesError, match=f"{IMAGES}, {LABELS}, {TEST_IMAGES}, {TEST_LABELS}"):
        idx(raw, False, folder="there", validation=30)


def test_a_number_is_not_a_folder(raw: Path) -> None:
    with pytest.raises(UserError, match=r"^data\.folder: 3: expected the name of a folder"):
        idx(raw, False, folder=3)  # pyright: ignore[reportArgumentType]
