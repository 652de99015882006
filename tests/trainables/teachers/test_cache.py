"""A kept teacher is found whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spaces import disk
from trainables.distillation_data import TeacherOutputs
from trainables.teachers import cache
from trainables.weights import tensor_file

WEIGHTS = {"logits.weight": torch.arange(6.0).reshape(2, 3)}
ANSWERS = TeacherOutputs(*(np.arange(n * 3, dtype=np.float32).reshape(n, 3) for n in (4, 2, 1)))
RECORD = {"key": "0123456789abcdef", "val_accuracy": 0.95, "epochs": 12, "train_seconds": 1.5}
FILES = ["weights.safetensors", "answers.safetensors", "record.json"]


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    folder = tmp_path / "0123456789abcdef"
    folder.mkdir()
    cache.write(folder, WEIGHTS, ANSWERS, RECORD)
    return folder


def is_whole(found: tuple[TeacherOutputs, dict] | None) -> bool:
    return found is not None and found[1] == RECORD and all(map(np.array_equal, found[0], ANSWERS))


def test_what_was_kept_is_found(teacher: Path) -> None:
    assert is_whole(cache.read(teacher))
    assert sorted(path.name for path in teacher.iterdir()) == sorted(FILES)


def test_keeping_it_ends_its_checkpoint(teacher: Path) -> None:
    (teacher / "checkpoint.safetensors").touch()
    cache.write(teacher, WEIGHTS, ANSWERS, RECORD)
    assert not (teacher / "checkpoint.safetensors").exists()


def test_nothing_is_found_where_nothing_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert cache.read(tmp_path / "nothing") is None
    assert caplog.messages == []


@pytest.mark.parametrize("name", FILES)
def test_what_was_altered_is_said_in_one_line(teacher: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    whole = (teacher / name).read_bytes()
    (teacher / name).write_bytes(whole[:-9] + b"8" + whole[-8:])
    assert cache.read(teacher) is None
    (line,) = caplog.messages
    assert line.startswith(f"{teacher}: damaged") and "taught again" in line and "\n" not in line


def test_what_a_killed_process_left_is_swept(teacher: Path) -> None:
    left = teacher / f".answers.safetensors.{disk.HOST}.4194999.ab12cd34.part"
    left.touch()
    assert is_whole(cache.read(teacher)) and not left.exists()


def test_what_else_a_teacher_says_is_made_once_and_again_where_it_is_altered(
    teacher: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[int] = []

    def make() -> torch.Tensor:
        made.append(1)
        return torch.arange(6.0)

    for _ in range(2):
        found = cache.kept(teacher, "hints", make)
        assert found.tolist() == [0, 1, 2, 3, 4, 5] and isinstance(found, tensor_file.Mapped)
    assert len(made) == 1 and caplog.messages == []
    path = teacher / "hints.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert cache.kept(teacher, "hints", make).tolist() == [0, 1, 2, 3, 4, 5]
    assert len(made) == 2 and caplog.messages == [f"{path}: damaged; it is made again"]


@pytest.mark.parametrize("name", FILES)
def test_a_part_is_not_found(teacher: Path, name: str) -> None:
    (teacher / name).unlink()
    assert cache.read(teacher) is None


@pytest.mark.parametrize("name", FILES)
def test_no_truncation_is_found(teacher: Path, name: str) -> None:
    whole = (teacher / name).read_bytes()
    for length in range(len(whole)):
        (teacher / name).write_bytes(whole[:length])
        assert cache.read(teacher) is None


@pytest.mark.parametrize("name", FILES)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_is_believed(teacher: Path, name: str, data: st.DataObject) -> None:
    whole = (teacher / name).read_bytes()
    flipped = bytearray(whole)
    flipped[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (teacher / name).write_bytes(flipped)
    try:
        found = cache.read(teacher)
        assert found is None or is_whole(found)  # white space in the record may be any
    finally:
        (teacher / name).write_bytes(whole)


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", '{"sha256": []}', '{"sha256": {}, "record": 3}'])
def test_another_record_is_not_found(teacher: Path, content: str) -> None:
    (teacher / "record.json").write_text(content)
    assert cache.read(teacher) is None


def test_an_altered_score_is_not_found(teacher: Path) -> None:
    content = json.loads((teacher / "record.json").read_text())
    content["record"]["val_accuracy"] = 0.99
    (teacher / "record.json").write_text(json.dumps(content))
    assert cache.read(teacher) is None


def test_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KD_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "distil-search" / "teachers"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the XDG specification
    assert cache.folder() == Path.home() / ".cache" / "distil-search" / "teachers"
    monkeypatch.setenv("KD_CACHE", "~/mine")
    assert cache.folder() == Path.home() / "mine"
