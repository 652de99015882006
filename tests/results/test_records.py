from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results import records
from spaces.errors import UserError

ROWS = [
    {"kind": "student", "trial": "a", "values": {"method.alpha": 0.5, "data.name": "mnist\n5k"}},
    {"kind": "epoch", "epoch": 1, "val_accuracy": 0.91, "train_loss": 1.25e-7},
    {"kind": "epoch", "epoch": 2, "val_accuracy": 0.93, "train_loss": None},
    {"kind": "end", "status": "failed", "reason": 'ümlaut ‖ } { " \\'},
]


def test_rows_come_back_in_order(tmp_path):
    for row in ROWS:
        records.append(tmp_path, "a", row)
    assert records.rows(tmp_path, "a") == ROWS
    assert records.trials(tmp_path) == ["a"]


def test_one_line_a_row(tmp_path):
    for row in ROWS:
        records.append(tmp_path, "a", row)
    lines = records.rows_file(tmp_path, "a").read_text().splitlines()
    assert [json.loads(line) for line in lines] == ROWS


def test_nothing_written_is_nothing_read(tmp_path):
    assert records.rows(tmp_path, "a") == []
    assert records.trials(tmp_path) == []
    assert records.environment(tmp_path) == {}
    assert records.teachers(tmp_path) == {}


SCALARS = st.none() | st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


@given(cut=st.integers(min_value=0), rows=st.lists(st.dictionaries(st.text(), SCALARS)))
def test_any_truncation_reads_as_a_prefix(tmp_path_factory, cut, rows):
    folder = tmp_path_factory.mktemp("cut")
    written = [{**row, "kind": "epoch"} for row in rows]
    path = records.rows_file(folder, "a")
    path.parent.mkdir(parents=True)
    whole = b"".join(json.dumps(row).encode() + b"\n" for row in written)
    path.write_bytes(whole[: cut % (len(whole) + 1)])
    read = records.rows(folder, "a")
    assert read == written[: len(read)]
    assert len(read) >= path.read_bytes().count(b"\n")


def test_a_half_written_line_does_not_spoil_the_next(tmp_path):
    records.append(tmp_path, "a", ROWS[0])
    with open(records.rows_file(tmp_path, "a"), "a") as file:
        file.write('{"kind": "epoch", "epo')
    records.append(tmp_path, "a", ROWS[1])
    assert records.rows(tmp_path, "a") == ROWS[:2]


def test_numbers_json_does_not_know_become_null(tmp_path):
    records.append(tmp_path, "a", {"kind": "epoch", "train_loss": float("nan"), "val_loss": float("inf")})
    assert records.rows(tmp_path, "a") == [{"kind": "epoch", "train_loss": None, "val_loss": None}]


def test_replace_leaves_the_old_file_where_writing_fails(tmp_path, monkeypatch):
    records.replace(tmp_path / "x.md", "old")
    monkeypatch.setattr(os, "fsync", lambda file: (_ for _ in ()).throw(OSError("no space left on device")))
    with pytest.raises(OSError, match="no space"):
        records.replace(tmp_path / "x.md", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["x.md"]
    assert (tmp_path / "x.md").read_text() == "old"


def test_replace_takes_text_and_bytes_and_makes_folders(tmp_path):
    records.replace(tmp_path / "a" / "text", "ü")
    records.replace(tmp_path / "a" / "bytes", b"\x00")
    assert (tmp_path / "a" / "text").read_text() == "ü"
    assert (tmp_path / "a" / "bytes").read_bytes() == b"\x00"


def test_environment_and_teachers_come_back(tmp_path):
    records.save_environment(tmp_path, {"device": "cpu"})
    records.save_teacher(tmp_path, {"key": "k", "val_accuracy": 0.99})
    assert records.environment(tmp_path) == {"device": "cpu"}
    assert records.teachers(tmp_path) == {"k": {"key": "k", "val_accuracy": 0.99}}


def test_a_folder_without_a_space_is_no_experiment(tmp_path):
    with pytest.raises(UserError, match=r"holds no space\.yaml"):
        records.check(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        records.check(tmp_path / "missing")
