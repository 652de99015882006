"""What is damaged in an experiment's folder: found when the folder is opened, done again alone, and said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from results import records
from results.students import History, history
from search.students.spec import status
from spaces import disk
from spaces.errors import UserError
from trainables import checkpoint
from trainables.weights import tensor_file


def repair_folder(folder: Path) -> list[str]:
    """Sweep away what killed processes left behind and void what is damaged; say so, one line for each.

    The rows of a student are voided by one more row, so that nothing is deleted but checkpoints that nobody goes on
    from: of students that have their end, and such as cannot be read.
    """
    disk.sweep(folder)
    return [line for trial in records.trials(folder) for line in _mended(folder, trial)]


def _mended(folder: Path, trial: str) -> Iterator[str]:
    """What was wrong with one student."""
    past, lines = history(folder, trial), records.damaged(folder, trial)
    noted = {tuple(row.get("lines", ())) for row in records.rows(folder, trial) if row["kind"] == "damaged"}
    if lines and not whole(past) and tuple(lines) not in noted:
        path, found = records.rows_file(folder, trial), ", ".join(map(str, lines))
        _void(folder, trial, path, lines)
        yield f"{path}: damaged or cut off in line {found}; what these lines said is trained again"
    elif _claims_to_be_finished(folder, trial) and not whole(past):
        _void(folder, trial, records.rows_file(folder, trial), [])
        yield f"{records.rows_file(folder, trial)}: an epoch is missing; this student is trained again"
    if status(past) == "finished" and (reason := _unreadable(records.weights_file(folder, trial))):
        _void(folder, trial, records.weights_file(folder, trial), [])
        yield f"{reason}; this student is trained again"
    yield from _checkpoint(records.checkpoint_file(folder, trial), status(history(folder, trial)))


def _claims_to_be_finished(folder: Path, trial: str) -> bool:
    return any(row.get("status") == "finished" for row in records.rows(folder, trial)[-1:])


def whole(past: History | None) -> bool:
    """Whether a student's rows tell of every epoch up to its last one, and of all of them where it is finished."""
    if past is None:
        return False
    planned = past.start.get("planned_epochs") if status(past) == "finished" else None
    return holds(past, planned or len(past.epochs)) and bool(past.end)


def holds(past: History | None, epochs: int) -> bool:
    """Whether a student's rows tell of each of its first epochs."""
    return past is not None and [row["epoch"] for row in past.epochs[:epochs]] == list(range(1, epochs + 1))


def _void(folder: Path, trial: str, path: Path, lines: list[int]) -> None:
    records.append(folder, trial, {"kind": "damaged", "file": path.name, "lines": lines, "time": time.time()})


def _unreadable(weights: Path) -> str | None:
    """Why weights cannot be read; None where they can, and where they are gone, for somebody may have removed them."""
    try:
        if weights.exists():
            tensor_file.read(weights)
    except UserError as error:
        return str(error)
    return None


def _checkpoint(path: Path, end: str | None) -> Iterator[str]:
    if end not in (None, "failed"):  # whoever wrote the end was killed before this could be removed
        path.unlink(missing_ok=True)
    try:
        if path.exists():
            checkpoint.load(path)
    except UserError as error:
        path.unlink()
        yield f"{error}; this student is trained again from its first epoch"
