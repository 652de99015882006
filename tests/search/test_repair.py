"""What is damaged is found when a folder is opened, done again alone, and said once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from results import records
from results.students import history
from search.repair import repair_folder
from search.students.spec import status, student
from spaces.disk import HOST
from trainables import checkpoint
from trainables.fit import State
from trainables.weights import tensor_file

STATE = State(2, 1.0, {"w": torch.ones(3)}, {}, {})
VALUES = {"method.alpha": 0, "method.temperature": 1}


@pytest.fixture
def pair(space, trained, folder):
    """Two finished students of three epochs; the names of both."""
    tiny, names = space(), []
    for seed in (0, 1):
        one = trained(student(tiny, "baseline", VALUES, seed, 0), [0.1, 0.2, 0.3])
        tensor_file.write(records.weights_file(folder, one.key), {"w": torch.arange(4.0)})
        names.append(one.key)
    return names


def states(folder, names):
    return [status(history(folder, name)) for name in names]


def test_a_sound_folder_is_left_as_it_is(pair, folder):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert repair_folder(folder) == []
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_nothing_is_mended_where_nothing_is(tmp_path):
    assert repair_folder(tmp_path) == []


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(min_value=0), mask=st.integers(1, 255), kind=st.sampled_from(["rows", "weights"]))
def test_any_flipped_byte_voids_that_student_alone_and_is_said_once(pair, folder, place, mask, kind):
    """Or does no harm, where it hits the name of a checksum: then every number is still what it was."""
    path = (records.rows_file if kind == "rows" else records.weights_file)(folder, pair[0])
    rows, content = records.rows_file(folder, pair[0]).read_bytes(), path.read_bytes()
    flipped = bytearray(content)
    flipped[place % len(flipped)] ^= mask
    path.write_bytes(flipped)
    past = history(folder, pair[0])
    try:
        said = repair_folder(folder)
        assert states(folder, pair) == ["finished" if not said else None, "finished"]
        if said:
            assert len(said) == 1 and said[0].startswith(str(path)) and "trained again" in said[0]
        else:
            assert past is not None and [row["val_accuracy"] for row in past.epochs] == [0.1, 0.2, 0.3]
            assert tensor_file.read(records.weights_file(folder, pair[0]))[0]["w"].tolist() == [0, 1, 2, 3]
        assert repair_folder(folder) == []
    finally:
        path.write_bytes(content)
        records.rows_file(folder, pair[0]).write_bytes(rows)


@pytest.mark.parametrize("kind", ["rows", "weights"])
def test_any_truncation_voids_that_student_alone(pair, folder, kind):
    path = (records.rows_file if kind == "rows" else records.weights_file)(folder, pair[0])
    rows, content = records.rows_file(folder, pair[0]).read_bytes(), path.read_bytes()
    for length in range(0, len(content) - 1, 7):  # the last byte of a row is its end of line
        path.write_bytes(content[:length])
        said = repair_folder(folder)
        assert states(folder, pair) == [None, "finished"]
        within = kind == "rows" and content[:length].endswith(b"\n")
        assert len(said) == (0 if within or (kind, length) == ("rows", 0) else 1)
        records.rows_file(folder, pair[0]).write_bytes(rows)
    path.write_bytes(content)


def test_weights_that_somebody_removed_are_not_made_again(pair, folder):
    records.weights_file(folder, pair[0]).unlink()
    assert repair_folder(folder) == [] and states(folder, pair) == ["finished", "finished"]


def test_a_line_that_was_cut_off_and_written_again_is_forgiven(pair, folder):
    path = records.rows_file(folder, pair[0])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2][:9] + b"\n", *lines[2:]]))
    assert repair_folder(folder) == [] and states(folder, pair) == ["finished", "finished"]


def test_a_missing_epoch_is_trained_again(pair, folder):
    path = records.rows_file(folder, pair[0])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    (said,) = repair_folder(folder)
    assert "an epoch is missing" in said and states(folder, pair) == [None, "finished"]


def test_a_damaged_checkpoint_is_removed_and_said(space, trained, folder):
    running = [trained(student(space(), "explore", VALUES, seed, 0), [0.1, 0.2], None) for seed in (0, 1)]
    paths = [records.checkpoint_file(folder, each.key) for each in running]
    for path in paths:
        checkpoint.save(path, STATE)
    paths[0].write_bytes(paths[0].read_bytes()[:-2] + b"xy")
    (said,) = repair_folder(folder)
    assert said.startswith(f"{paths[0]}: damaged") and "from its first epoch" in said
    assert not paths[0].exists() and paths[1].exists()


@pytest.mark.parametrize("end", ["finished", "diverged", "stopped"])
def test_a_checkpoint_that_a_process_died_before_removing_goes_without_a_word(end, space, trained, folder):
    one = trained(student(space(), "explore", VALUES, 0, 0), [0.1, 0.2, 0.3], end)
    tensor_file.write(records.weights_file(folder, one.key), {"w": torch.ones(3)})
    checkpoint.save(records.checkpoint_file(folder, one.key), STATE)
    assert repair_folder(folder) == [] and not records.checkpoint_file(folder, one.key).exists()
    assert states(folder, [one.key]) == [end]


@pytest.mark.parametrize("end", [None, "failed"])
def test_who_is_tried_again_keeps_its_checkpoint(end, space, trained, folder):
    one = trained(student(space(), "explore", VALUES, 0, 0), [0.1, 0.2], end)
    checkpoint.save(records.checkpoint_file(folder, one.key), STATE)
    assert repair_folder(folder) == [] and records.checkpoint_file(folder, one.key).exists()


def test_what_a_killed_process_left_is_swept(pair, folder):
    left = folder / "trials" / pair[0] / f".x.{HOST}.4194999.ab12cd34.part"
    left.touch()
    assert repair_folder(folder) == [] and not left.exists()


def test_the_folder_may_be_anywhere(pair, folder, tmp_path: Path):
    moved = folder.rename(tmp_path / "a name with spaces, ünicode and [brackets]")
    path = records.rows_file(moved, pair[0])
    path.write_bytes(path.read_bytes()[:-9])
    (said,) = repair_folder(moved)
    assert said.startswith(str(path))
