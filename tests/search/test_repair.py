"""Repair of a folder: each damage affects one student and is reported once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from results import paths
from results.students import history
from search.repair import CHECKED_FILE, repair_folder
from search.students.spec import student_spec, student_status
from spaces.disk import HOST_NAME
from trainables import checkpoint
from trainables.fit import TrainingState
from trainables.weights import tensor_file

STATE = TrainingState(2, 1.0, {"w": torch.ones(3)}, {}, {})
VALUES = {"method.alpha": 0, "method.temperature": 1}


@pytest.fixture
def pair(space, trained, folder):
    """Two finished students of three epochs; the names of both."""
    tiny, names = space(), []
    for seed in (0, 1):
        spec = trained(student_spec(tiny, "baseline", VALUES, seed, 0), [0.1, 0.2, 0.3])
        tensor_file.write_tensors(paths.weights_file(folder, spec.key), {"w": torch.arange(4.0)})
        names.append(spec.key)
    return names


def states(folder, names):
    return [student_status(history(folder, name)) for name in names]


def test_an_undamaged_folder_is_not_changed(pair, folder):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert repair_folder(folder) == []
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_unchanged_weights_are_read_once(pair, folder, monkeypatch):
    for name in pair:
        os.utime(paths.weights_file(folder, name), (1e9, 1e9))
    assert repair_folder(folder) == []
    with monkeypatch.context() as patch:
        patch.setattr(tensor_file, "read_tensors", None)
        assert repair_folder(folder) == []
    damaged = paths.weights_file(folder, pair[1])
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    assert [str(damaged) in message for message in repair_folder(folder)] == [True]
    (folder / CHECKED_FILE).write_text("{")
    assert repair_folder(folder) == []


def test_an_empty_folder_needs_no_repair(tmp_path):
    assert repair_folder(tmp_path) == []


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(min_value=0), mask=st.integers(1, 255), kind=st.sampled_from(["rows", "weights"]))
def test_any_flipped_byte_voids_one_student_and_is_reported_once(pair, folder, position, mask, kind):
    """Or it is harmless, in the name of a checksum: then every number is unchanged."""
    path = (paths.rows_file if kind == "rows" else paths.weights_file)(folder, pair[0])
    rows, content = paths.rows_file(folder, pair[0]).read_bytes(), path.read_bytes()
    flipped = bytearray(content)
    flipped[position % len(flipped)] ^= mask
    path.write_bytes(flipped)
    past = history(folder, pair[0])
    try:
        messages = repair_folder(folder)
        assert states(folder, pair) == ["finished" if not messages else None, "finished"]
        if messages:
            (message,) = messages
            assert message.startswith(str(path)) and "trained again" in message
        else:
            assert past is not None and [row["val_accuracy"] for row in past.epochs] == [0.1, 0.2, 0.3]
            assert tensor_file.read_tensors(paths.weights_file(folder, pair[0]))[0]["w"].tolist() == [0, 1, 2, 3]
        assert repair_folder(folder) == []
    finally:
        path.write_bytes(content)
        paths.rows_file(folder, pair[0]).write_bytes(rows)


@pytest.mark.parametrize("kind", ["rows", "weights"])
def test_any_truncation_voids_one_student(pair, folder, kind):
    path = (paths.rows_file if kind == "rows" else paths.weights_file)(folder, pair[0])
    rows, content = paths.rows_file(folder, pair[0]).read_bytes(), path.read_bytes()
    for length in range(0, len(content) - 1, 7):  # the last byte of a row is its end of line
        path.write_bytes(content[:length])
        messages = repair_folder(folder)
        assert states(folder, pair) == [None, "finished"]
        between_rows = kind == "rows" and (length == 0 or b"\n" in content[length - 1 : length + 1])
        assert len(messages) == (0 if between_rows else 1)
        paths.rows_file(folder, pair[0]).write_bytes(rows)
    path.write_bytes(content)


def test_removed_weights_are_not_trained_again(pair, folder):
    paths.weights_file(folder, pair[0]).unlink()
    assert repair_folder(folder) == [] and states(folder, pair) == ["finished", "finished"]


def test_a_cut_line_that_was_written_again_is_ignored(pair, folder):
    path = paths.rows_file(folder, pair[0])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2][:9] + b"\n", *lines[2:]]))
    assert repair_folder(folder) == [] and states(folder, pair) == ["finished", "finished"]


def test_a_missing_epoch_is_trained_again(pair, folder):
    path = paths.rows_file(folder, pair[0])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    (message,) = repair_folder(folder)
    assert "an epoch is missing" in message and states(folder, pair) == [None, "finished"]


def test_a_damaged_checkpoint_is_removed_and_reported(space, trained, folder):
    running = [trained(student_spec(space(), "explore", VALUES, seed, 0), [0.1, 0.2], None) for seed in (0, 1)]
    files = [paths.checkpoint_file(folder, student.key) for student in running]
    for path in files:
        checkpoint.save_checkpoint(path, STATE)
    files[0].write_bytes(files[0].read_bytes()[:-2] + b"xy")
    (message,) = repair_folder(folder)
    assert message.startswith(f"{files[0]}: damaged") and "from its first epoch" in message
    assert not files[0].exists() and files[1].exists()


@pytest.mark.parametrize("end", ["finished", "diverged", "stopped"])
def test_the_checkpoint_of_an_ended_student_is_removed_silently(end, space, trained, folder):
    spec = trained(student_spec(space(), "explore", VALUES, 0, 0), [0.1, 0.2, 0.3], end)
    tensor_file.write_tensors(paths.weights_file(folder, spec.key), {"w": torch.ones(3)})
    checkpoint.save_checkpoint(paths.checkpoint_file(folder, spec.key), STATE)
    assert repair_folder(folder) == [] and not paths.checkpoint_file(folder, spec.key).exists()
    assert states(folder, [spec.key]) == [end]


@pytest.mark.parametrize("end", [None, "failed"])
def test_a_student_that_will_be_retried_keeps_its_checkpoint(end, space, trained, folder):
    spec = trained(student_spec(space(), "explore", VALUES, 0, 0), [0.1, 0.2], end)
    checkpoint.save_checkpoint(paths.checkpoint_file(folder, spec.key), STATE)
    assert repair_folder(folder) == [] and paths.checkpoint_file(folder, spec.key).exists()


def test_temporary_files_of_killed_processes_are_removed(pair, folder):
    left = folder / "trials" / pair[0] / f".x.{HOST_NAME}.4194999.ab12cd34.part"
    left.touch()
    assert repair_folder(folder) == [] and not left.exists()


def test_the_folder_may_be_anywhere(pair, folder, tmp_path: Path):
    moved = folder.rename(tmp_path / "a name with spaces, ünicode and [brackets]")
    path = paths.rows_file(moved, pair[0])
    path.write_bytes(path.read_bytes()[:-9])
    (message,) = repair_folder(moved)
    assert message.startswith(str(path))
