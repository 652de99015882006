"""Files of tensors: what was written is read, and what is damaged or runs code is refused by name."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor, nn

from spaces.errors import UserError
from trainables.weights import tensor_file

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
# safetensors keeps a name of its own for the note
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(lambda name: name != "__metadata__")


@st.composite
def tensors(draw: Callable[..., Any]) -> Tensor:
    values = torch.randn(draw(SHAPES), generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))
    value = (10 * values).to(draw(st.sampled_from(DTYPES)))
    return value.transpose(0, -1) if value.ndim and draw(st.booleans()) else value


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("storage") / "deep" / "x.safetensors"


@settings(deadline=None)
@given(st.dictionaries(NAMES, tensors(), min_size=1, max_size=4), st.dictionaries(NAMES, NAMES, max_size=3))
def test_what_was_written_is_read(path: Path, written: dict[str, Tensor], note: dict[str, str]) -> None:
    tensor_file.write(path, written, note)
    found, noted = tensor_file.read(path)
    assert noted == note and found.keys() == written.keys()
    for name, value in written.items():
        assert found[name].dtype == value.dtype and torch.equal(found[name], value)


def test_tied_weights(path: Path) -> None:
    tied = torch.arange(6.0)
    tensor_file.write(path, {"encoder": tied, "decoder": tied, "half": tied[:3]})
    found, _ = tensor_file.read(path)
    assert found["encoder"].tolist() == found["decoder"].tolist() == tied.tolist()
    assert found["half"].tolist() == [0, 1, 2]


def test_no_temporary_stays_behind(path: Path) -> None:
    for n in range(3):
        tensor_file.write(path, {"a": torch.full((3,), float(n))})
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert tensor_file.read(path)[0]["a"].tolist() == [2, 2, 2]


def test_a_reader_keeps_the_file_it_opened(path: Path) -> None:
    tensor_file.write(path, {"a": torch.ones(3)})
    opened = path.with_name("opened")
    opened.hardlink_to(path)
    tensor_file.write(path, {"a": torch.zeros(3)})
    assert tensor_file.read(opened)[0]["a"].tolist() == [1, 1, 1]
    opened.unlink()


def test_a_failed_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    tensor_file.write(path, {"a": torch.ones(3)})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=f"{path}: No space left on device: .* bytes needed"):
        tensor_file.write(path, {"a": torch.zeros(3)})
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert tensor_file.read(path)[0]["a"].tolist() == [1, 1, 1]


def test_any_truncation_is_refused(path: Path) -> None:
    tensor_file.write(path, {"a": torch.arange(5.0), "b": torch.ones(2, 2)}, {"epoch": "3"})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=str(path)):
            tensor_file.read(path)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_flipped_byte_is_believed(path: Path, data: st.DataObject) -> None:
    """Only one in the name of the seal itself can pass, and that alters no tensor and no note of ours."""
    tensors, note = {"a": torch.arange(5.0), "b": torch.ones(2, 2)}, {"epoch": "3", "seconds": "0.25"}
    tensor_file.write(path, tensors, note)
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        found, noted = tensor_file.read(path)
    except UserError as error:
        assert str(path) in str(error)
    else:
        assert all(torch.equal(found[name], value) for name, value in tensors.items())
        assert noted.items() >= note.items()


def test_every_bit_of_a_tensor_is_under_the_seal(path: Path) -> None:
    tensor_file.write(path, {"a": torch.arange(5.0)})
    whole = path.read_bytes()
    for bit in range(8 * 5 * 4):
        flipped = bytearray(whole)
        flipped[len(whole) - 1 - bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        with pytest.raises(UserError, match=f"{path}: damaged"):
            tensor_file.read(path)


@pytest.mark.parametrize("note", [None, {"epoch": "3"}])
def test_a_file_without_a_seal_is_taken_as_it_is(path: Path, note: dict[str, str] | None) -> None:
    path.write_bytes(save({"a": torch.ones(3)}, note))
    tensors, noted = tensor_file.read(path)
    assert tensors["a"].tolist() == [1, 1, 1] and noted == (note or {})


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([tensor_file.SEAL, "x", f'"{tensor_file.SEAL}":"{tensor_file.OPEN}"']), NAMES, max_size=3
    )
)
def test_no_note_can_pass_for_the_seal(path: Path, note: dict[str, str]) -> None:
    tensor_file.write(path, {f'"{tensor_file.SEAL}":"{tensor_file.OPEN}"': torch.ones(3)}, note)
    assert tensor_file.read(path)[1] == {name: value for name, value in note.items() if name != tensor_file.SEAL}


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_other_content_is_refused(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(UserError, match=str(path)):
        tensor_file.read(path)


@pytest.mark.parametrize("kind", [torch.float32, torch.float16])
def test_a_tensor_is_mapped_and_pickled_by_its_name(path: Path, kind: torch.dtype) -> None:
    values = torch.arange(24).reshape(2, 3, 4).to(kind)
    tensor_file.write(path, {"other": torch.ones(5), "said": values}, {"epoch": "3"})
    found = tensor_file.mapped(path, "said")
    assert np.array_equal(found, values.numpy()) and not found.flags.writeable
    pickled = pickle.dumps(found, protocol=5)
    assert len(pickled) < 300 and np.array_equal(pickle.loads(pickled), found)


def test_parts_of_what_is_mapped_are_pickled_as_they_are(path: Path) -> None:
    tensor_file.write(path, {"said": torch.arange(6.0)})
    part = tensor_file.mapped(path, "said")[2:4]
    pickled = pickle.dumps(part, protocol=5)
    path.unlink()
    assert pickle.loads(pickled).tolist() == [2, 3]
    assert np.array(part).tolist() == [2, 3]  # whose file is still there for those who have it


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.safetensors", tmp_path):
        with pytest.raises(UserError, match=str(path)):
            tensor_file.read(path)


# Somebody's weights.


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.pt", "w"])
def test_somebody_s_weights(tmp_path: Path, network: nn.Module, name: str) -> None:
    if name.endswith("safetensors"):
        tensor_file.write(tmp_path / name, network.state_dict())
    else:
        torch.save(network.state_dict(), tmp_path / name)
    found = tensor_file.read_weights(tmp_path / name)
    assert found.keys() == network.state_dict().keys()
    assert all(torch.equal(found[key], value) for key, value in network.state_dict().items())


class Code:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
def test_no_code_is_run(tmp_path: Path, name: str, save: Callable[[Any, Path], None]) -> None:
    touched = tmp_path / "touched"
    save({"weight": torch.ones(2), "trap": Code(touched)}, tmp_path / name)
    with pytest.raises(UserError, match=str(tmp_path / name)):
        tensor_file.read_weights(tmp_path / name)
    assert not touched.exists()


def test_what_is_no_state_dict_is_refused(tmp_path: Path, network: nn.Module) -> None:
    contents = [network, {"model": network.state_dict()}, {"epoch": 3}, [torch.ones(2)], torch.ones(2), 7]
    for i, content in enumerate(contents):
        torch.save(content, tmp_path / f"{i}.pth")
        with pytest.raises(UserError, match=str(tmp_path / f"{i}.pth")):
            tensor_file.read_weights(tmp_path / f"{i}.pth")


def test_damaged_state_dicts_are_refused(tmp_path: Path, network: nn.Module) -> None:
    path = tmp_path / "w.pth"
    torch.save(network.state_dict(), path)
    whole = path.read_bytes()
    for length in [0, 1, 10, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=str(path)):
            tensor_file.read_weights(path)
