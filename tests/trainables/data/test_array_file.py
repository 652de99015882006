"""Array files: written, checked, mapped, and pickled by path."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainables.data.array_file import (
    MappedArray,
    is_intact,
    load_or_compute_array,
    map_array,
    matches_checksum,
    write_array,
)

VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "x.npy"
    write_array(path, [VALUES], VALUES.shape, VALUES.dtype)
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8])
def test_a_written_array_is_mapped_read_only(tmp_path: Path, dtype: type) -> None:
    values = VALUES.astype(dtype)
    write_array(tmp_path / "x.npy", [values], values.shape, values.dtype)
    array = map_array(tmp_path / "x.npy")
    assert array.dtype == dtype and np.array_equal(array, values)
    assert isinstance(array.base, np.memmap) and not array.flags.writeable


def test_numpy_reads_the_file(path: Path) -> None:
    assert np.array_equal(np.load(path), VALUES) and np.array_equal(np.load(path, mmap_mode="r"), VALUES)


def test_parts_make_one_array(tmp_path: Path, path: Path) -> None:
    write_array(tmp_path / "parts.npy", iter(VALUES), VALUES.shape, VALUES.dtype)
    assert (tmp_path / "parts.npy").read_bytes() == path.read_bytes()


def test_a_transposed_array_is_written_in_its_own_order(tmp_path: Path) -> None:
    turned = VALUES.transpose(2, 0, 1)
    write_array(tmp_path / "x.npy", [turned], turned.shape, turned.dtype)
    assert np.array_equal(map_array(tmp_path / "x.npy"), turned)


def test_a_mapped_array_is_pickled_as_its_path(path: Path) -> None:
    content = pickle.dumps(map_array(path), protocol=5)
    assert len(content) < 300 and np.array_equal(pickle.loads(content), VALUES)


def test_other_slices_and_results_are_pickled_by_value(path: Path) -> None:
    array = map_array(path)
    contents = [pickle.dumps(derived, protocol=5) for derived in (array[::2], array + 1)]
    path.unlink()
    part, result = (pickle.loads(content) for content in contents)
    assert np.array_equal(part, VALUES[::2]) and np.array_equal(result, VALUES + 1)
    assert np.array_equal(array, VALUES)  # the file is still there for the process that mapped it


def test_an_array_is_computed_once_and_again_if_damaged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    computed: list[int] = []

    def compute() -> np.ndarray:
        computed.append(1)
        return VALUES + 1

    path.unlink()
    for _ in range(2):
        array = load_or_compute_array(path, compute)
        assert isinstance(array, MappedArray) and np.array_equal(array, VALUES + 1)
    assert len(computed) == 1 and caplog.messages == []
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert np.array_equal(load_or_compute_array(path, compute), VALUES + 1)
    assert len(computed) == 2 and caplog.messages == [f"{path}: damaged; it is computed again"]


def test_a_rewritten_file_leaves_mapped_arrays_unchanged(path: Path) -> None:
    array = map_array(path)
    write_array(path, [VALUES + 1], VALUES.shape, VALUES.dtype)
    assert np.array_equal(array, VALUES) and np.array_equal(map_array(path), VALUES + 1)


def test_a_failed_write_leaves_the_old_file(path: Path) -> None:
    def parts() -> object:
        yield VALUES[:1]
        raise ValueError("no second part")

    with pytest.raises(ValueError, match="no second part"):
        write_array(path, parts(), VALUES.shape, VALUES.dtype)  # type: ignore[arg-type]
    assert is_intact(path) and [file.name for file in path.parent.iterdir()] == [path.name]


def test_every_truncation_is_detected(path: Path) -> None:
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert not matches_checksum(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_flipped_bit_is_detected(path: Path, data: st.DataObject) -> None:
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(flipped)
    assert not matches_checksum(path)
    path.write_bytes(content)
    assert matches_checksum(path)


def test_an_absent_file_or_a_folder_is_not_intact(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not is_intact(tmp_path / "absent.npy") and caplog.messages == []
    assert not is_intact(tmp_path) and len(caplog.messages) == 1
