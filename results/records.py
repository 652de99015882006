"""The experiment folder: where every file lies, and the only code that reads or writes the records in it.

space.yaml, environment.json, teachers/<key>.json
trials/<id>/epochs.jsonl   one flat JSON object a line: a "student", its "epoch"s, an "end"
students.csv, leaderboard.csv/.md, table.csv/.md, heatmap.png, curves.png, report.html, tensorboard/
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spaces.errors import UserError

Folder = str | os.PathLike[str]
Row = dict[str, Any]


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


def append(folder: Folder, trial: str, row: Mapping[str, Any]) -> None:
    """Adds one row to a student's file; it is on the disk when this returns."""
    path = rows_file(folder, trial)
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON knows no nan or infinity, and a diverged student must not make its file unreadable to other tools
    line = json.dumps({name: _finite(value) for name, value in row.items()}, allow_nan=False)
    with open(path, "ab+") as file:
        broken = _ends_within_a_line(file)
        file.write((b"\n" if broken else b"") + line.encode() + b"\n")
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


def rows(folder: Folder, trial: str) -> list[Row]:
    """The rows of one student in the order written, without a half-written line; empty where there are none."""
    try:
        content = rows_file(folder, trial).read_bytes()
    except FileNotFoundError:
        return []
    parsed = (_parse(line) for line in content.split(b"\n"))
    return [row for row in parsed if row is not None]


def _parse(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and "kind" in row else None


def trials(folder: Folder) -> list[str]:
    """The names of the students that have rows, sorted."""
    return sorted(path.parent.name for path in (Path(folder) / "trials").glob("*/epochs.jsonl"))


def replace(path: Folder, content: str | bytes) -> None:
    """Writes a whole file so that a reader sees the old or the new one, never a part, even after a crash."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # mkstemp makes files private
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def environment(folder: Folder) -> Row:
    """What save_environment wrote; empty where nothing was written yet."""
    try:
        return json.loads(environment_file(folder).read_bytes())
    except FileNotFoundError:
        return {}


def save_environment(folder: Folder, content: Mapping[str, Any]) -> None:
    """Writes what the experiment stands on."""
    replace(environment_file(folder), json.dumps(content, indent=2) + "\n")


def teachers(folder: Folder) -> dict[str, Row]:
    """The teachers' records by key."""
    files = sorted((Path(folder) / "teachers").glob("*.json"))
    return {path.stem: json.loads(path.read_bytes()) for path in files}


def save_teacher(folder: Folder, content: Mapping[str, Any]) -> None:
    """Writes one teacher's record under its `key`."""
    replace(teacher_file(folder, content["key"]), json.dumps(content, indent=2) + "\n")


def check(folder: Folder) -> None:
    """Raises UserError where the folder holds no experiment."""
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder; expected an experiment folder, such as runs/mnist_hinton")
    if not space_file(folder).is_file():
        raise UserError(f"{folder}: not an experiment folder: it holds no space.yaml")
