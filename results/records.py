"""Rows and records of an experiment folder, read and written nowhere else.

trials/<id>/epochs.jsonl has one flat JSON object per line, a row. Its "kind" is "student" (the first row), "epoch",
"end" or "damaged" (a marker of repair). "crc" is its checksum. `trial` is the student's key, not a Ray trial.
environment.json is the protocol. identity.json holds the digests of data, plugins and files.
teachers/<key>.json are the records of the teachers.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from results.paths import Folder, environment_file, identity_file, rows_file, space_file, teacher_file
from spaces import disk
from spaces.errors import UserError
from spaces.metrics import METRIC_FIELDS

Row = dict[str, Any]

NUMBER_OR_NULL = (int, float, type(None))
TEXT_OR_NULL = (str, type(None))
# Rows can come from another machine or version, so kinds and types of fields are checked.
REQUIRED_FIELDS = {
    "student": ("trial", "stage", "seed"),
    "epoch": ("epoch",),
    "end": ("status",),
    "damaged": ("file",),
}
FIELD_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("seed", "epoch", "teacher_seed", "planned_epochs", "parameters", "macs"), (int, type(None))),
    **dict.fromkeys((*METRIC_FIELDS, "train_loss", "lr", "seconds", "latency_ms", "agreement"), NUMBER_OR_NULL),
    "time": (int, float),
    **dict.fromkeys(("trial", "stage", "study", "status", "file"), (str,)),
    **dict.fromkeys(("reason", "teacher", "train_on"), TEXT_OR_NULL),
    **dict.fromkeys(("values", "suggested", "diagnosis"), (dict, type(None))),
    "teacher_weights": (list,),
    "lines": (list,),
}
# `stopped`: by the scheduler, or a student of a grid when its search was interrupted. `diverged`: by a loss that is not
# finite. `failed`: by an error, and retried by the next run. A student without a final row is running.
STATUSES = ("finished", "stopped", "diverged", "failed")
LATEST_TIME_SECONDS = 2.0**37  # in the year 6325; later times have no date
LARGEST_INTEGER = 2**53  # JSON readers round larger integers


def append_row(folder: Folder, trial: str, row: Mapping[str, Any]) -> None:
    """Append one row to a student's file and flush it to disk."""
    append_rows(folder, trial, [row])


def append_rows(folder: Folder, trial: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows to a student's file and flush them to disk.

    Each line ends in a checksum, so a flipped bit makes it invalid. Raises UserError if the disk is full.
    """
    path, lines = rows_file(folder, trial), b"".join(map(_row_line, rows))
    with disk.disk_full_as_user_error(path, len(lines)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+") as file:
            is_cut_off = _ends_within_a_line(file)
            file.write((b"\n" if is_cut_off else b"") + lines)
            file.flush()
            os.fsync(file.fileno())


def _row_line(row: Mapping[str, Any]) -> bytes:
    # JSON has no NaN: with one, other tools could not read the file of a diverged student
    body = json.dumps({name: _null_if_not_finite(value) for name, value in row.items()}, allow_nan=False)[:-1].encode()
    return body + b', "crc": "' + _checksum(body).encode() + b'"}\n'


def _ends_within_a_line(file) -> bool:
    """True if an earlier writer died within a line."""
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _null_if_not_finite(value: Any) -> Any:
    return None if isinstance(value, float) and value - value != 0 else value


def _checksum(body: bytes) -> str:
    return f"{zlib.crc32(body):08x}"


def read_rows(folder: Folder, trial: str) -> list[Row]:
    """Return the valid rows of one student, in the order written."""
    return [row for _, row in read_lines(folder, trial) if row is not None]


def damaged_lines(folder: Folder, trial: str) -> list[int]:
    """Return the numbers of damaged lines, from 1."""
    return [number for number, row in read_lines(folder, trial) if row is None]


def read_lines(folder: Folder, trial: str) -> list[tuple[int, Row | None]]:
    """Return each line with its number from 1; a damaged one is None."""
    try:
        content = rows_file(folder, trial).read_bytes()
    except FileNotFoundError:
        return []
    numbered = enumerate(content.split(b"\n"), 1)
    return [(number, _parse_row(line, trial)) for number, line in numbered if line]


def _parse_row(line: bytes, trial: str) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    # rows of earlier versions have no checksum
    if "crc" in row and row.pop("crc") != _checksum(line.rpartition(b', "crc": ')[0]):
        return None
    return row if _is_valid_row(row, trial) else None


def _is_valid_row(row: Row, trial: str) -> bool:
    """True if kind, student and types of all fields are valid."""
    needed = REQUIRED_FIELDS.get(row["kind"]) if isinstance(row.get("kind"), str) else None
    if needed is None or any(row.get(name) is None for name in needed) or row.get("trial", trial) != trial:
        return False
    typed = all(
        isinstance(value, FIELD_TYPES.get(name, object)) and _is_ordinary_number(value) for name, value in row.items()
    )
    return typed and _has_possible_values(row)


def _has_possible_values(row: Row) -> bool:
    """True if status, epoch and time are possible."""
    status_exists = row["kind"] != "end" or row["status"] in STATUSES
    return (
        status_exists and (row["kind"] != "epoch" or row["epoch"] > 0) and 0 <= row.get("time", 0) < LATEST_TIME_SECONDS
    )


def _is_ordinary_number(value: Any) -> bool:
    return -LARGEST_INTEGER < value < LARGEST_INTEGER if isinstance(value, int) else value == _null_if_not_finite(value)


def trial_names(folder: Folder) -> list[str]:
    """Return the names of the students with rows, sorted."""
    return sorted(path.parent.name for path in (Path(folder) / "trials").glob("*/epochs.jsonl"))


def write_file(path: Folder, content: str | bytes) -> None:
    """Replace a file atomically, even if the process dies."""
    disk.write_atomically(path, content.encode() if isinstance(content, str) else content)


def read_environment(folder: Folder) -> Row:
    """Return environment.json, empty if there is none."""
    path = environment_file(folder)
    return _read_json_object(path) if path.exists() else {}


def _read_json_object(path: Path) -> Row:
    """Read a JSON object; raise UserError for a damaged file."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        content, reason = None, str(error)
    else:
        reason = "no JSON object"
    if not isinstance(content, dict):
        raise UserError(f"{path}: damaged ({reason}); remove it and run the search again, which rewrites it")
    return content


def save_environment(folder: Folder, content: Mapping[str, Any]) -> None:
    """Write environment.json."""
    write_file(environment_file(folder), json.dumps(content, indent=2) + "\n")


def read_identity(folder: Folder) -> Row:
    """Return identity.json, empty if there is none."""
    path = identity_file(folder)
    return _read_json_object(path) if path.exists() else {}


def save_identity(folder: Folder, content: Mapping[str, Any]) -> None:
    """Write identity.json."""
    write_file(identity_file(folder), json.dumps(content, indent=2) + "\n")


def read_teachers(folder: Folder) -> dict[str, Row]:
    """Return the records of the teachers by key."""
    files = sorted((Path(folder) / "teachers").glob("*.json"))
    return {path.stem: _read_json_object(path) for path in files}


def save_teacher(folder: Folder, content: Mapping[str, Any]) -> None:
    """Write one teacher's record under its `key`."""
    write_file(teacher_file(folder, content["key"]), json.dumps(content, indent=2) + "\n")


def require_experiment(folder: Folder) -> None:
    """Raise UserError if the folder holds no experiment."""
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder; expected an experiment folder, such as runs/mnist_hinton")
    if not space_file(folder).is_file():
        raise UserError(f"{folder}: not an experiment folder: it holds no space.yaml")
