from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results import paths, records
from spaces.errors import UserError

ROWS = [
    {
        "kind": "student",
        "trial": "a",
        "stage": "explore",
        "seed": 0,
        "values": {"method.alpha": 0.5, "data.name": "mnist\n5k"},
    },
    {"kind": "epoch", "epoch": 1, "val_accuracy": 0.91, "train_loss": 1.25e-7},
    {"kind": "epoch", "epoch": 2, "val_accuracy": 0.93, "train_loss": None},
    {"kind": "end", "status": "failed", "reason": 'ümlaut ‖ } { " \\'},
]


def test_rows_come_back_in_order(tmp_path):
    for row in ROWS:
        records.append_row(tmp_path, "a", row)
    assert records.read_rows(tmp_path, "a") == ROWS
    assert records.trial_names(tmp_path) == ["a"]


def test_one_line_a_row_that_ends_in_its_checksum(tmp_path):
    for row in ROWS:
        records.append_row(tmp_path, "a", row)
    lines = paths.rows_file(tmp_path, "a").read_text().splitlines()
    assert [{**row, "crc": json.loads(line)["crc"]} for row, line in zip(ROWS, lines, strict=True)] == [
        json.loads(line) for line in lines
    ]
    assert all(len(json.loads(line)["crc"]) == 8 and line.endswith('"}') for line in lines)


def test_nothing_written_is_nothing_read(tmp_path):
    assert records.read_rows(tmp_path, "a") == []
    assert records.trial_names(tmp_path) == []
    assert records.read_environment(tmp_path) == {}
    assert records.read_teachers(tmp_path) == {}


SCALARS = st.none() | st.text() | st.integers(-99, 99) | st.floats(allow_nan=False, allow_infinity=False, width=16)
FREE = st.dictionaries(st.text().filter(lambda name: name not in {*records.FIELD_TYPES, "kind", "crc"}), SCALARS)
WRITTEN = st.lists(FREE, min_size=1, max_size=4)


def whole(folder, rows):
    """The rows as written, and their file."""
    written = [{**row, "kind": "epoch", "epoch": number} for number, row in enumerate(rows, 1)]
    for row in written:
        records.append_row(folder, "a", row)
    return written, paths.rows_file(folder, "a")


@given(cut=st.integers(min_value=0), rows=WRITTEN)
def test_any_truncation_reads_as_a_prefix(tmp_path_factory, cut, rows):
    written, path = whole(tmp_path_factory.mktemp("cut"), rows)
    content = path.read_bytes()
    path.write_bytes(content[: cut % (len(content) + 1)])
    read = records.read_rows(path.parents[2], "a")
    assert read == written[: len(read)]
    assert len(read) >= path.read_bytes().count(b"\n")


@given(rows=WRITTEN, place=st.integers(min_value=0), mask=st.integers(1, 255))
def test_no_flipped_byte_is_believed(tmp_path_factory, rows, place, mask):
    """A row is what was written or is not read; only the checksum's own name may be misspelt beside true fields."""
    written, path = whole(tmp_path_factory.mktemp("flip"), rows)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= mask
    path.write_bytes(content)
    folder = path.parents[2]
    read = records.read_rows(folder, "a")
    assert all(any(row.items() >= true.items() for true in written) for row in read)
    assert len(written) - 2 <= len(read) <= len(written)
    assert len(read) == len(written) or records.damaged_lines(folder, "a")


def test_every_flipped_bit_of_a_number_is_found(tmp_path):
    records.append_row(tmp_path, "a", {"kind": "epoch", "epoch": 7, "val_accuracy": 0.8125})
    path = paths.rows_file(tmp_path, "a")
    content = path.read_bytes()
    for bit in range(8 * content.index(b', "crc')):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        assert records.read_rows(tmp_path, "a") == [] and records.damaged_lines(tmp_path, "a")


def test_rows_of_earlier_versions_have_no_checksum(tmp_path):
    path = paths.rows_file(tmp_path, "a")
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    assert records.read_rows(tmp_path, "a") == ROWS and records.damaged_lines(tmp_path, "a") == []


@pytest.mark.parametrize(
    "line",
    [
        '{"kind": "epoch"}',
        '{"kind": "epoch", "epoch": "1"}',
        '{"kind": "epoch", "epoch": 1e300}',
        f'{{"kind": "epoch", "epoch": {10**30}}}',
        '{"kind": "epoch", "epoch": 1, "val_accuracy": NaN}',
        '{"kind": "epoch", "epoch": 1, "val_accuracy": "0.9"}',
        '{"kind": "end", "status": null}',
        '{"kind": "student", "trial": "../../b", "stage": "explore", "seed": 0}',
        '{"kind": "student", "trial": "b", "stage": "explore", "seed": 0}',
        '{"kind": "other"}',
        '{"kind": ["epoch"], "epoch": 1}',
        "[" * 100_000,
        "\0\0\0",
        "[]",
        "null",
    ],
)
def test_a_row_that_is_none_is_not_read(tmp_path, line):
    records.append_row(tmp_path, "a", ROWS[1])
    with open(paths.rows_file(tmp_path, "a"), "a") as file:
        file.write(line + "\n")
    assert records.read_rows(tmp_path, "a") == [ROWS[1]] and records.damaged_lines(tmp_path, "a") == [2]


def test_a_half_written_line_does_not_spoil_the_next(tmp_path):
    records.append_row(tmp_path, "a", ROWS[0])
    with open(paths.rows_file(tmp_path, "a"), "a") as file:
        file.write('{"kind": "epoch", "epo')
    records.append_row(tmp_path, "a", ROWS[1])
    assert records.read_rows(tmp_path, "a") == ROWS[:2] and records.damaged_lines(tmp_path, "a") == [2]


def test_a_full_disk_names_the_file_and_the_bytes_needed(tmp_path, monkeypatch):
    records.append_row(tmp_path, "a", ROWS[0])
    monkeypatch.setattr(os, "fsync", lambda file: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    for write in (
        lambda: records.append_row(tmp_path, "a", ROWS[1]),
        lambda: records.write_file(tmp_path / "x.md", "new"),
    ):
        with pytest.raises(UserError, match=rf"{tmp_path}.*: No space left on device: \d+ bytes needed, [\d,]+ free"):
            write()


def test_numbers_json_does_not_know_become_null(tmp_path):
    row = {"kind": "epoch", "epoch": 1, "train_loss": float("nan"), "val_loss": float("inf")}
    records.append_row(tmp_path, "a", row)
    assert records.read_rows(tmp_path, "a") == [row | {"train_loss": None, "val_loss": None}]


def test_replace_leaves_the_old_file_where_writing_fails(tmp_path, monkeypatch):
    records.write_file(tmp_path / "x.md", "old")
    monkeypatch.setattr(os, "fsync", lambda file: (_ for _ in ()).throw(OSError("no space left on device")))
    with pytest.raises(OSError, match="no space"):
        records.write_file(tmp_path / "x.md", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["x.md"]
    assert (tmp_path / "x.md").read_text() == "old"


def test_replace_takes_text_and_bytes_and_makes_folders(tmp_path):
    records.write_file(tmp_path / "a" / "text", "ü")
    records.write_file(tmp_path / "a" / "bytes", b"\x00")
    assert (tmp_path / "a" / "text").read_text() == "ü"
    assert (tmp_path / "a" / "bytes").read_bytes() == b"\x00"


def test_environment_and_teachers_come_back(tmp_path):
    records.save_environment(tmp_path, {"device": "cpu"})
    records.save_teacher(tmp_path, {"key": "k", "val_accuracy": 0.99})
    assert records.read_environment(tmp_path) == {"device": "cpu"}
    assert records.read_teachers(tmp_path) == {"k": {"key": "k", "val_accuracy": 0.99}}


def test_a_folder_without_a_space_is_no_experiment(tmp_path):
    with pytest.raises(UserError, match=r"holds no space\.yaml"):
        records.require_experiment(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        records.require_experiment(tmp_path / "missing")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"9" * 5000])
def test_a_damaged_environment_or_teacher_is_named(tmp_path, content):
    for path, read in [
        (paths.environment_file(tmp_path), records.read_environment),
        (paths.teacher_file(tmp_path, "k"), records.read_teachers),
    ]:
        records.write_file(path, content)
        with pytest.raises(UserError, match=f"{path}: damaged .*; remove it and run the search again"):
            read(tmp_path)
