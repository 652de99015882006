"""The experiment folder: where every file lies, and the only code that reads or writes the records in it.

space.yaml, environment.json, teachers/<key>.json
trials/<id>/epochs.jsonl   one flat JSON object a line: a "student", its "epoch"s, an "end"; "crc" is its checksum
students.csv, leaderboard.csv/.md, table.csv/.md, heatmap.png, curves.png, report.html, tensorboard/, optuna.journal
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from results.paths import Folder, environment_file, rows_file, space_file, teacher_file
from spaces import disk
from spaces.errors import UserError
from spaces.metrics import METRIC_FIELDS

Row = dict[str, Any]

NUMBER_OR_NULL = (int, float, type(None))
TEXT_OR_NULL = (str, type(None))
# What a row of each kind must hold, and what a field that it may hold must be: rows may come from anywhere.
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
    **dict.fromkeys(("trial", "stage", "status", "file"), (str,)),
    **dict.fromkeys(("reason", "teacher"), TEXT_OR_NULL),
    **dict.fromkeys(("values", "suggested", "diagnosis"), (dict, type(None))),
    "teacher_weights": (list,),
    "lines": (list,),
}
STATUSES = ("finished", "stopped", "diverged", "failed")
LATEST_TIME_SECONDS = 2.0**37  # seconds, in the year 6325: what comes later has no date
LARGEST_INTEGER = 2**53  # beyond it no reader of JSON keeps every whole number


def append_row(folder: Folder, trial: str, row: Mapping[str, Any]) -> None:
    """Adds one row to a student's file; it is on the disk when this returns, or a UserError says that there is no room.

    The line ends in a checksum, so that a flipped bit makes it unreadable rather than another number.
    """
    path = rows_file(folder, trial)
    # JSON knows no nan or infinity, and a diverged student must not make its file unreadable to other tools
    body = json.dumps({name: _null_if_not_finite(value) for name, value in row.items()}, allow_nan=False)[:-1].encode()
    line = body + b', "crc": "' + _checksum(body).encode() + b'"}\n'
    with disk.disk_full_as_user_error(path, len(line)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab+") as file:
            broken = _ends_within_a_line(file)
            file.write((b"\n" if broken else b"") + line)
            file.flush()
            os.fsync(file.fileno())


def _ends_within_a_line(file) -> bool:
    """Whether the writer before us died in the middle of a line: the next row must not be glued to its rest."""
    if file.seek(0, os.SEEK_END) == 0:
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _null_if_not_finite(value: Any) -> Any:
    return None if isinstance(value, float) and value - value != 0 else value


def _checksum(body: bytes) -> str:
    return f"{zlib.crc32(body):08x}"


def read_rows(folder: Folder, trial: str) -> list[Row]:
    """The rows of one student in the order written, without lines that are half-written or damaged."""
    return [row for _, row in read_lines(folder, trial) if row is not None]


def damaged_lines(folder: Folder, trial: str) -> list[int]:
    """The lines of a student's file, counted from 1, that are not as they were written."""
    return [number for number, row in read_lines(folder, trial) if row is None]


def read_lines(folder: Folder, trial: str) -> list[tuple[int, Row | None]]:
    """Every line of a student's file with its number from 1, as a row or, where it is damaged, as None."""
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
    """Whether a row is of a known kind and of this student, and its fields are what they should be."""
    needed = REQUIRED_FIELDS.get(row["kind"]) if isinstance(row.get("kind"), str) else None
    if needed is None or any(row.get(name) is None for name in needed) or row.get("trial", trial) != trial:
        return False
    typed = all(
        isinstance(value, FIELD_TYPES.get(name, object)) and _is_ordinary_number(value) for name, value in row.items()
    )
    return typed and _has_possible_values(row)


def _has_possible_values(row: Row) -> bool:
    """Whether what a row of the right types says can be."""
    known = row["kind"] != "end" or row["status"] in STATUSES
    return known and (row["kind"] != "epoch" or row["epoch"] > 0) and 0 <= row.get("time", 0) < LATEST_TIME_SECONDS


def _is_ordinary_number(value: Any) -> bool:
    return -LARGEST_INTEGER < value < LARGEST_INTEGER if isinstance(value, int) else value == _null_if_not_finite(value)


def trial_names(folder: Folder) -> list[str]:
    """The names of the students that have rows, sorted."""
    return sorted(path.parent.name for path in (Path(folder) / "trials").glob("*/epochs.jsonl"))


def write_file(path: Folder, content: str | bytes) -> None:
    """Writes a whole file so that a reader sees the old or the new one, never a part, even after a crash."""
    disk.write_atomically(path, content.encode() if isinstance(content, str) else content)


def read_environment(folder: Folder) -> Row:
    """What save_environment wrote; empty where nothing was written yet."""
    path = environment_file(folder)
    return _read_json_object(path) if path.exists() else {}


def _read_json_object(path: Path) -> Row:
    """A JSON object on disk; a UserError names one that is damaged."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        content, reason = None, str(error)
    else:
        reason = "no JSON object"
    if not isinstance(content, dict):
        raise UserError(f"{path}: damaged ({reason}); remove it and run the search again, which writes it anew")
    return content


def save_environment(folder: Folder, content: Mapping[str, Any]) -> None:
    """Writes what the experiment stands on."""
    write_file(environment_file(folder), json.dumps(content, indent=2) + "\n")


def read_teachers(folder: Folder) -> dict[str, Row]:
    """The teachers' records by key."""
    files = sorted((Path(folder) / "teachers").glob("*.json"))
    return {path.stem: _read_json_object(path) for path in files}


def save_teacher(folder: Folder, content: Mapping[str, Any]) -> None:
    """Writes one teacher's record under its `key`."""
    write_file(teacher_file(folder, content["key"]), json.dumps(content, indent=2) + "\n")


def require_experiment(folder: Folder) -> None:
    """Raises UserError where the folder holds no experiment."""
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder; expected an experiment folder, such as runs/mnist_hinton")
    if not space_file(folder).is_file():
        raise UserError(f"{folder}: not an experiment folder: it holds no space.yaml")
