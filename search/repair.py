"""Repair of an experiment's folder, before anything is trained in it.

Killed processes leave partly written files and old checkpoints; disks damage files. What is repaired:

- Partly written temporary files of dead processes are removed.
- Damaged rows or a missing epoch void the rows of that student, which is trained again.
- Unreadable weights of a finished student void its rows. Removed weights are left alone. Weights are read again only if
  their size or time has changed since they were last found readable.
- An unreadable checkpoint is removed; that student starts again from its first epoch.
- The checkpoint of an ended student is removed, unless it failed and will be retried.

Rows are voided by one more row of kind `damaged`. Nothing but temporary files and checkpoints is ever deleted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

from results import paths, records
from results.students import History, history
from search.students.spec import has_first_epochs, student_status
from spaces import disk
from spaces.errors import UserError
from trainables import checkpoint
from trainables.weights import tensor_file

SETTLED_NS = 2 * 10**9  # a younger file might change again without another time
CHECKED_FILE = ".checked_weights.json"  # size and time (ns) of readable weights, by student

Checked = dict[str, list[int]]


def repair_folder(folder: Path) -> list[str]:
    """Repair a folder; return one message per repair of a student."""
    disk.remove_partial_files(folder)
    checked = _read_checked(folder)
    before = dict(checked)
    messages = [message for trial in records.trial_names(folder) for message in _repair_student(folder, trial, checked)]
    if checked != before:
        records.write_file(folder / CHECKED_FILE, json.dumps(checked))
    return messages


def _read_checked(folder: Path) -> Checked:
    """Return the versions of readable weights; empty if their file is damaged."""
    try:
        checked = json.loads((folder / CHECKED_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return checked if isinstance(checked, dict) else {}


def _repair_student(folder: Path, trial: str, checked: Checked) -> Iterator[str]:
    past, lines = history(folder, trial), records.damaged_lines(folder, trial)
    rows_file, weights_file = paths.rows_file(folder, trial), paths.weights_file(folder, trial)
    if lines and not _has_all_epochs(past) and lines not in _voided_lines(folder, trial):
        _void_rows(folder, trial, rows_file, lines)
        yield f"{rows_file}: damaged or cut off in line {', '.join(map(str, lines))}; these epochs are trained again"
    elif _ends_as_finished(folder, trial) and not _has_all_epochs(past):
        _void_rows(folder, trial, rows_file, [])
        yield f"{rows_file}: an epoch is missing; this student is trained again"
    if student_status(past) == "finished" and (error := _weights_error(weights_file, trial, checked)):
        _void_rows(folder, trial, weights_file, [])
        yield f"{error}; this student is trained again"
    yield from _repair_checkpoint(paths.checkpoint_file(folder, trial), student_status(history(folder, trial)))


def _has_all_epochs(past: History | None) -> bool:
    """Return True for an ended student without missing epochs.

    A finished student needs all its planned epochs, another one those up to its last.
    """
    if past is None:
        return False
    planned = past.start.get("planned_epochs") if student_status(past) == "finished" else None
    return has_first_epochs(past, planned or len(past.epochs)) and bool(past.end)


def _voided_lines(folder: Path, trial: str) -> list[list[int]]:
    """Return the damaged lines of rows voided by earlier runs."""
    return [list(row.get("lines", ())) for row in records.read_rows(folder, trial) if row["kind"] == "damaged"]


def _ends_as_finished(folder: Path, trial: str) -> bool:
    return any(row.get("status") == "finished" for row in records.read_rows(folder, trial)[-1:])


def _void_rows(folder: Path, trial: str, path: Path, lines: list[int]) -> None:
    records.append_row(folder, trial, {"kind": "damaged", "file": path.name, "lines": lines, "time": time.time()})


def _weights_error(weights: Path, trial: str, checked: Checked) -> str | None:
    """Return the error of unreadable weights, None for readable or removed ones."""
    if not weights.exists():
        return None
    version = list(disk.file_version(weights))
    if checked.get(trial) == version:
        return None
    try:
        tensor_file.read_tensors(weights)
    except UserError as error:
        return str(error)
    if time.time_ns() - version[1] > SETTLED_NS:
        checked[trial] = version
    return None


def _repair_checkpoint(path: Path, status: str | None) -> Iterator[str]:
    if status not in (None, "failed"):  # killed between its last row and the removal of the checkpoint
        path.unlink(missing_ok=True)
    try:
        if path.exists():
            checkpoint.load_checkpoint(path)
    except UserError as error:
        path.unlink()
        yield f"{error}; this student is trained again from its first epoch"
