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

from spaces import disk
from spaces.errors import UserError

Folder = str | os.PathLike[str]
Row = dict[str, Any]

NUMBER = (int, float, type(None))
WORDS = (str, type(None))
# What a row of each kind must hold, and what a field that it may hold must be: rows may come from anywhere.
NEEDED = {
    "student": ("trial", "stage", "seed"),
    "epoch": ("epoch",),
    "end": ("status",),
    "damaged": ("file",),
}
TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("seed", "epoch", "teacher_seed", "planned_epochs", "parameters", "macs"), (int, type(None))),
    **dict.fromkeys(("train_loss", "val_loss", "val_accuracy", "lr", "seconds", "latency_ms"), NUMBER),
    **dict.fromkeys(("test_accuracy", "test_loss", "agreement"), NUMBER),
    "time": (int, float),
    **dict.fromkeys(("val_macro_f1", "val_auc", "test_macro_f1", "test_auc", "test_f1"), NUMBER),
    **dict.fromkeys(("trial", "stage", "status", "file"), (str,)),
    **dict.fromkeys(("reason", "teacher"), WORDS),
    **dict.fromkeys(("values", "suggested", "diagnosis"), (dict, type(None))),
    "lines": (list,),
}
STATUSES = ("finished", "stopped", "diverged", "failed")
LATEST = 2.0**37  # seconds, in the year 6325: what comes later has no date
LARGEST = 2**53  # beyond it no reader of JSON keeps every whole number


def space_file(folder: Folder) -> Path:
    """The space as run."""
    return Path(folder) / "space.yaml"


def environment_file(folder: Folder) -> Path:
    """What the experiment stands on: data, device, versions, precision, the loss."""
    return Path(folder) / "environment.json"


def teacher_file(folder: Folder, key: str) -> Path:
    """The record of one teacher."""
    return Path(folder) / "teachers" / f"{key}.json"


def trial_folder(folder: Folder, trial: str) -> Path:
    """Everything that belongs to one student."""
    return Path(folder) / "trials" / trial


def rows_file(folder: Folder, trial: str) -> Path:
    """The rows of one student."""
    return trial_folder(folder, trial) / "epochs.jsonl"


def weights_file(folder: Folder, trial: str) -> Path:
    """The final weights of one student."""
    return trial_folder(folder, trial) / "student.safetensors"


def checkpoint_file(folder: Folder, trial: str) -> Path:
    """Where one student goes on from while it is being trained."""
    return trial_folder(folder, trial) / "checkpoint.safetensors"


def tensorboard_folder(folder: Folder) -> Path:
    """The log directory to give to TensorBoard."""
    return Path(folder) / "tensorboard"


def students_file(folder: Folder) -> Path:
    """One line per student."""
    return Path(folder) / "students.csv"


def leaderboard_file(folder: Folder, kind: str) -> Path:
    """One line per configuration; `kind` is csv or md."""
    return Path(folder) / f"leaderboard.{kind}"


def table_file(folder: Folder, kind: str) -> Path:
    """The table of two knobs; `kind` is csv or md."""
    return Path(folder) / f"table.{kind}"


def heatmap_file(folder: Folder) -> Path:
    """The table as a picture."""
    return Path(folder) / "heatmap.png"


def curves_file(folder: Folder) -> Path:
    """Validation accuracy against epochs as a picture."""
    return Path(folder) / "curves.png"


def report_file(folder: Folder) -> Path:
    """Everything above on one page, to be opened in a browser."""
    return Path(folder) / "report.html"


def journal_file(folder: Folder) -> Path:
    """The students as a study, to be opened by optuna-dashboard."""
    return Path(folder) / "optuna.journal"


def append(folder: Folder, trial: str, row: Mapping[str, Any]) -> None:
    """Adds one row to a student's file; it is on the disk when this returns, or a UserError says that there is no room.

    The line ends in a checksum, so that a flipped bit makes it unreadable rather than another number.
    """
    path = rows_file(folder, trial)
    # JSON knows no nan or infinity, and a diverged student must not make its file unreadable to other tools
    body = json.dumps({name: _finite(value) for name, value in row.items()}, allow_nan=False)[:-1].encode()
    line = body + b', "crc": "' + _sum(body).encode() + b'"}\n'
    with disk.room(path, len(line)):
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


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and value - value != 0 else value


def _sum(body: bytes) -> str:
    return f"{zlib.crc32(body):08x}"


def rows(folder: Folder, trial: str) -> list[Row]:
    """The rows of one student in the order written, without lines that are half-written or damaged."""
    return [row for _, row in lines(folder, trial) if row is not None]


def damaged(folder: Folder, trial: str) -> list[int]:
    """The lines of a student's file, counted from 1, that are not as they were written."""
    return [number for number, row in lines(folder, trial) if row is None]


def lines(folder: Folder, trial: str) -> list[tuple[int, Row | None]]:
    """Every line of a student's file with its number from 1, as a row or, where it is damaged, as None."""
    try:
        content = rows_file(folder, trial).read_bytes()
    except FileNotFoundError:
        return []
    numbered = enumerate(content.split(b"\n"), 1)
    return [(number, _parse(line, trial)) for number, line in numbered if line]


def _parse(line: bytes, trial: str) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    # rows of earlier versions have no checksum
    if "crc" in row and row.pop("crc") != _sum(line.rpartition(b', "crc": ')[0]):
        return None
    return row if _sound(row, trial) else None


def _sound(row: Row, trial: str) -> bool:
    """Whether a row is of a known kind and of this student, and its fields are what they should be."""
    needed = NEEDED.get(row["kind"]) if isinstance(row.get("kind"), str) else None
    if needed is None or any(row.get(name) is None for name in needed) or row.get("trial", trial) != trial:
        return False
    typed = all(isinstance(value, TYPES.get(name, object)) and _ordinary(value) for name, value in row.items())
    return typed and _possible(row)


def _possible(row: Row) -> bool:
    """Whether what a row of the right types says can be."""
    known = row["kind"] != "end" or row["status"] in STATUSES
    return known and (row["kind"] != "epoch" or row["epoch"] > 0) and 0 <= row.get("time", 0) < LATEST


def _ordinary(value: Any) -> bool:
    return -LARGEST < value < LARGEST if isinstance(value, int) else value == _finite(value)


def trials(folder: Folder) -> list[str]:
    """The names of the students that have rows, sorted."""
    return sorted(path.parent.name for path in (Path(folder) / "trials").glob("*/epochs.jsonl"))


def replace(path: Folder, content: str | bytes) -> None:
    """Writes a whole file so that a reader sees the old or the new one, never a part, even after a crash."""
    disk.replace(path, content.encode() if isinstance(content, str) else content)


def environment(folder: Folder) -> Row:
    """What save_environment wrote; empty where nothing was written yet."""
    path = environment_file(folder)
    return _object(path) if path.exists() else {}


def _object(path: Path) -> Row:
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
    replace(environment_file(folder), json.dumps(content, indent=2) + "\n")


def teachers(folder: Folder) -> dict[str, Row]:
    """The teachers' records by key."""
    files = sorted((Path(folder) / "teachers").glob("*.json"))
    return {path.stem: _object(path) for path in files}


def save_teacher(folder: Folder, content: Mapping[str, Any]) -> None:
    """Writes one teacher's record under its `key`."""
    replace(teacher_file(folder, content["key"]), json.dumps(content, indent=2) + "\n")


def check(folder: Folder) -> None:
    """Raises UserError where the folder holds no experiment."""
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder; expected an experiment folder, such as runs/mnist_hinton")
    if not space_file(folder).is_file():
        raise UserError(f"{folder}: not an experiment folder: it holds no space.yaml")
