"""Tensor files: written and read, damaged files refused, no code run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor

from spaces.errors import UserError
from trainables.weights import tensor_file

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
# safetensors reserves this name for the metadata
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda name: name != "__metadata__")


@st.composite
def tensors(draw: Callable[..., Any]) -> Tensor:
    values = torch.randn(draw(SHAPES), generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))
    value = (10 * values).to(draw(st.sampled_from(DTYPES)))
    return value.transpose(0, -1) if value.ndim and draw(st.booleans()) else value


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage") / "deep" / "x.safetensors"


@given(st.dictionaries(NAMES, tensors(), min_size=1, max_size=4), st.dictionaries(NAMES, NAMES, max_size=3))
def test_written_tensors_are_read(path: Path, written: dict[str, Tensor], metadata: dict[str, str]) -> None:
    tensor_file.write_tensors(path, written, metadata)
    tensors, read_metadata = tensor_file.read_tensors(path)
    assert read_metadata == metadata and tensors.keys() == written.keys()
    for name, value in written.items():
        assert tensors[name].dtype == value.dtype and torch.equal(tensors[name], value)


def test_tied_weights(path: Path) -> None:
    tied = torch.arange(6.0)
    tensor_file.write_tensors(path, {"encoder": tied, "decoder": tied, "half": tied[:3]})
    tensors, _ = tensor_file.read_tensors(path)
    assert tensors["encoder"].tolist() == tensors["decoder"].tolist() == tied.tolist()
    assert tensors["half"].tolist() == [0, 1, 2]


def test_no_temporary_file_is_left(path: Path) -> None:
    for n in range(3):
        tensor_file.write_tensors(path, {"a": torch.full((3,), float(n))})
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert tensor_file.read_tensors(path)[0]["a"].tolist() == [2, 2, 2]


def test_an_open_file_keeps_its_content(path: Path) -> None:
    tensor_file.write_tensors(path, {"a": torch.ones(3)})
    opened = path.with_name("opened")
    opened.hardlink_to(path)
    tensor_file.write_tensors(path, {"a": torch.zeros(3)})
    assert tensor_file.read_tensors(opened)[0]["a"].tolist() == [1, 1, 1]
    opened.unlink()


def test_a_failed_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    tensor_file.write_tensors(path, {"a": torch.ones(3)})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=f"{path}: No space left on device: .* bytes needed"):
        tensor_file.write_tensors(path, {"a": torch.zeros(3)})
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert tensor_file.read_tensors(path)[0]["a"].tolist() == [1, 1, 1]


def test_every_truncation_is_refused(path: Path) -> None:
    tensor_file.write_tensors(path, {"a": torch.arange(5.0), "b": torch.ones(2, 2)}, {"epoch": "3"})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=str(path)):
            tensor_file.read_tensors(path)


@settings(max_examples=300)
@given(st.data())
def test_no_flipped_byte_changes_the_content(path: Path, data: st.DataObject) -> None:
    """Only a flip in the name of the checksum's entry passes, which changes neither tensors nor metadata."""
    tensors, metadata = {"a": torch.arange(5.0), "b": torch.ones(2, 2)}, {"epoch": "3", "seconds": "0.25"}
    tensor_file.write_tensors(path, tensors, metadata)
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        read_tensors, read_metadata = tensor_file.read_tensors(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert all(torch.equal(read_tensors[name], value) for name, value in tensors.items())
        assert read_metadata.items() >= metadata.items()


def test_every_bit_of_a_tensor_is_checked(path: Path) -> None:
    tensor_file.write_tensors(path, {"a": torch.arange(5.0)})
    content = path.read_bytes()
    for bit in range(8 * 5 * 4):
        flipped = bytearray(content)
        flipped[len(content) - 1 - bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(UserError, match=f"{path}: damaged"):
            tensor_file.read_tensors(path)


@pytest.mark.parametrize("metadata", [None, {"epoch": "3"}])
def test_a_file_without_a_checksum_is_not_checked(path: Path, metadata: dict[str, str] | None) -> None:
    path.write_bytes(save({"a": torch.ones(3)}, metadata))
    tensors, read_metadata = tensor_file.read_tensors(path)
    assert tensors["a"].tolist() == [1, 1, 1] and read_metadata == (metadata or {})


ENTRY = f'"{tensor_file.CHECKSUM_KEY}":"{tensor_file.NO_CHECKSUM}"'


@given(st.dictionaries(st.sampled_from([tensor_file.CHECKSUM_KEY, "x", ENTRY]), NAMES, max_size=3))
def test_names_that_look_like_the_checksum_do_no_harm(path: Path, metadata: dict[str, str]) -> None:
    tensor_file.write_tensors(path, {ENTRY: torch.ones(3)}, metadata)
    metadata.pop(tensor_file.CHECKSUM_KEY, None)
    assert tensor_file.read_tensors(path)[1] == metadata


@given(st.binary(max_size=200))
def test_other_content_is_refused(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(UserError, match=str(path)):
        tensor_file.read_tensors(path)


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.safetensors", tmp_path):
        with pytest.raises(UserError, match=str(path)):
            tensor_file.read_tensors(path)
