"""A cached teacher is read undamaged or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spaces import disk
from trainables.data.array_file import MappedArray
from trainables.distillation_data import TeacherOutputs
from trainables.teachers import cache
from trainables.teachers.cache import CachedTeacher
from trainables.weights import tensor_file

WEIGHTS = {"logits.weight": torch.arange(6.0).reshape(2, 3)}
OUTPUTS = TeacherOutputs(*(np.arange(n * 3, dtype=np.float32).reshape(n, 3) for n in (4, 2, 1)))
RECORD = {"key": "0123456789abcdef", "val_accuracy": 0.95, "epochs": 12, "train_seconds": 1.5, "behind": [{"a": None}]}
TEACHER = CachedTeacher(WEIGHTS, OUTPUTS, RECORD)
FILES = ["weights.safetensors", "logits-train.npy", "logits-val.npy", "logits-test.npy"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "0123456789abcdef"
    cache.write_teacher(folder, TEACHER)
    return folder


def is_same(teacher: CachedTeacher | None) -> bool:
    return (
        teacher is not None
        and teacher.record == RECORD
        and all(torch.equal(teacher.weights[name], value) for name, value in WEIGHTS.items())
        and all(map(np.array_equal, teacher.outputs[:3], OUTPUTS[:3]))
    )


def test_a_written_teacher_is_read(folder: Path) -> None:
    assert is_same(cache.read_teacher(folder)) and cache.is_complete(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_logits_are_read_into_memory(folder: Path) -> None:
    teacher = cache.read_teacher(folder)
    assert teacher is not None and type(teacher.outputs.train) is np.ndarray  # other nodes do not have the files


def test_writing_a_teacher_removes_its_checkpoint_and_older_outputs(folder: Path) -> None:
    for name in ("checkpoint.safetensors", "layer-relu1.npy"):
        (folder / name).touch()
    cache.write_teacher(folder, TEACHER)
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)


def test_an_absent_teacher_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert cache.read_teacher(tmp_path / "absent") is None and not cache.is_complete(tmp_path / "absent")
    assert caplog.messages == []


@pytest.mark.parametrize("name", FILES)
def test_damage_gives_one_line(folder: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[:-9] + b"8" + content[-8:])
    assert cache.read_teacher(folder) is None
    (line,) = caplog.messages
    assert line.startswith(f"{folder}: damaged ({name}") and "\n" not in line and line.count(str(folder)) == 1
    assert line.endswith("match its checksum); this teacher is trained again")


@pytest.mark.parametrize("metadata", [{}, {"record": "{"}, {"record": "[" * 100_000}])
def test_a_file_without_a_valid_record_is_damaged(
    folder: Path, metadata: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    tensor_file.write_tensors(folder / "weights.safetensors", WEIGHTS, metadata)
    assert cache.read_teacher(folder) is None
    assert len(caplog.messages) == 1 and caplog.messages[0].startswith(f"{folder}: damaged (")


def test_files_of_a_killed_process_are_removed(folder: Path) -> None:
    part = folder / f".logits-val.npy.{disk.HOST_NAME}.4194999.ab12cd34.part"
    part.touch()
    assert is_same(cache.read_teacher(folder)) and not part.exists()


def test_an_array_is_computed_once(folder: Path) -> None:
    assert not cache.has_array(folder, "layer-relu1")
    values = [torch.arange(6.0).reshape(3, 2).T]
    for _ in range(2):
        array = cache.load_or_compute(folder, "layer-relu1", values.pop)  # fails if computed twice
        assert array.tolist() == [[0, 2, 4], [1, 3, 5]] and isinstance(array, MappedArray)
    assert cache.has_array(folder, "layer-relu1")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_gives_none(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert cache.read_teacher(folder) is None


@pytest.mark.parametrize("name", FILES)
def test_every_truncation_is_detected(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for length in range(len(content)):
        (folder / name).write_bytes(content[:length])
        assert cache.read_teacher(folder) is None


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_changes_a_teacher(folder: Path, name: str, data: st.DataObject) -> None:
    content = (folder / name).read_bytes()
    flipped = bytearray(content)
    flipped[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (folder / name).write_bytes(flipped)
    try:
        teacher = cache.read_teacher(folder)
        assert teacher is None or is_same(teacher)  # a flip in the name of the checksum's entry only disables the check
    finally:
        (folder / name).write_bytes(content)
