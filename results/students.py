"""Rows of an experiment as DataFrames: one line per student, one line per student and epoch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas

from results import records
from results.records import Folder, Row
from spaces import space

COLUMNS = [
    *("trial", "stage", "status", "seed", "epochs", "val_accuracy", "test_accuracy", "best_epoch", "train_seconds"),
    *("val_loss", "best_val_accuracy", "agreement", "parameters", "macs", "latency_ms", "planned_epochs"),
    *("val_macro_f1", "val_auc", "test_macro_f1", "test_auc", "test_f1"),
    *("teacher_key", "teacher_seed", "reason"),
]
WHOLE = {"seed", "epochs", "best_epoch", "parameters", "macs", "planned_epochs", "teacher_seed"}
WORDS = {"trial", "stage", "status", "teacher_key", "reason"}
DIAGNOSIS = "diagnosis."  # begins the names of figures that only some networks have
UNEVEN = ("test_macro_f1", "test_auc", "test_f1")  # what classes of unequal size ask for
EPOCH_COLUMNS = [
    *("trial", "epoch", "train_loss", "val_loss", "val_accuracy", "val_macro_f1", "val_auc", "lr", "seconds", "time"),
]


UNSAID: Row = {"values": {}, "suggested": None, "planned_epochs": None, "time": 0.0}  # in rows of earlier versions


class History(NamedTuple):
    """The rows of one student: its first, one per epoch it has behind it, and its last (empty while it is running)."""

    start: Row
    epochs: list[Row]
    end: Row


def read(folder: Folder) -> pandas.DataFrame:
    """One row per student, accuracies as fractions of its last epoch; raises UserError where there is no experiment."""
    records.check(folder)
    knobs = space.load(records.space_file(folder)).knobs
    lines = [_line(student, knobs) for student in histories(folder)]
    known = [*knobs, *(name for line in lines for name in line if name not in COLUMNS)]
    columns = {name: _column(lines, name) for name in dict.fromkeys([*COLUMNS, *known])}
    return pandas.DataFrame(columns)


def _column(lines: list[Row], name: str) -> pandas.Series:
    values = [float("nan") if line.get(name) is None else line[name] for line in lines]
    if name in WHOLE:
        return pandas.Series(values, dtype="Int64")
    # knobs are labels: as objects, the 4 of a student does not become 4.0 because the baseline has none
    words = name in WORDS or not (name in COLUMNS or name.startswith(DIAGNOSIS))
    return pandas.Series(values, dtype=object if words else float)


def epochs(folder: Folder) -> pandas.DataFrame:
    """One row per student and epoch: losses per image, accuracies as fractions, seconds of training."""
    records.check(folder)
    lines = [{**epoch, "trial": student.start["trial"]} for student in histories(folder) for epoch in student.epochs]
    return pandas.DataFrame(lines, columns=pandas.Index(EPOCH_COLUMNS))


def knobs(students: pandas.DataFrame) -> list[str]:
    """The dotted names of the knobs among the columns of `read`."""
    return [name for name in students.columns if name not in COLUMNS and not name.startswith(DIAGNOSIS)]


def diagnoses(students: pandas.DataFrame) -> list[str]:
    """The columns of `read` that tell what the parts of a network did."""
    return [name for name in students.columns if name.startswith(DIAGNOSIS)]


def histories(folder: Folder) -> Iterable[History]:
    """The students that have begun, sorted by name."""
    found = (history(folder, trial) for trial in records.trials(folder))
    return (student for student in found if student is not None)


def history(folder: Folder, trial: str) -> History | None:
    """One student as its rows tell it, or None where it has not begun."""
    rows = records.rows(folder, trial)
    starts = [row for row in rows if row["kind"] == "student"]
    if not starts:
        return None
    epochs = _current(row for row in rows if row["kind"] == "epoch" and _scored(row))
    # only a last line ends a student: one that was tried again has an end in the middle
    end = rows[-1] if rows[-1]["kind"] == "end" else {}
    if not epochs and end.get("status") == "finished":  # its epochs were lost: it must not count
        end = {}
    # what was proposed stays a proposal, though a later stage trained it once more
    proposed = next((row["suggested"] for row in starts if row.get("suggested") is not None), None)
    return History(UNSAID | starts[-1] | {"suggested": proposed}, epochs, end)


def _scored(row: Row) -> bool:
    """Whether an epoch has what a student may be chosen by: a row without it, wherever it is from, is no epoch."""
    return row.get("val_accuracy") is not None and row.get("val_loss") is not None


def _current(rows: Iterable[Row]) -> list[Row]:
    """The epochs that led to the present weights: an epoch trained again makes what came after it void."""
    done: dict[int, Row] = {}
    for row in rows:
        done = {epoch: kept for epoch, kept in done.items() if epoch < row["epoch"]} | {row["epoch"]: row}
    return list(done.values())


def _line(student: History, knobs: list[str]) -> Row:
    start, end = student.start, student.end
    copied = {name: start.get(name) for name in COLUMNS if name in start}
    copied["teacher_key"] = start.get("teacher")  # "teacher" is a knob where whole teachers are the options
    return copied | _progress(student.epochs) | _outcome(end) | labels(start, knobs)


def _outcome(end: Row) -> Row:
    found = {name: end.get(name) for name in ("test_accuracy", *UNEVEN, "agreement", "latency_ms", "reason")}
    found |= {f"{DIAGNOSIS}{name}": value for name, value in (end.get("diagnosis") or {}).items()}
    return found | {"status": end.get("status", "running")}


def _progress(rows: list[Row]) -> Row:
    last: Row = rows[-1] if rows else {}
    scored = [row for row in rows if row.get("val_accuracy") is not None]
    best: Row = max(scored, key=lambda row: row["val_accuracy"], default={})
    return {
        "epochs": last.get("epoch", 0),
        "val_accuracy": last.get("val_accuracy"),
        **{name: last.get(name) for name in ("val_loss", "val_macro_f1", "val_auc")},
        "best_epoch": best.get("epoch"),
        "best_val_accuracy": best.get("val_accuracy"),
        "train_seconds": sum(row.get("seconds") or 0.0 for row in rows),
    }


def labels(start: Row, knobs: list[str]) -> dict[str, Any]:
    """The values of a student's knobs; the baseline, which has no teacher, is what alpha = 0 would be."""
    alone = {"method.alpha": 0} if start.get("stage") == "baseline" and "method.alpha" in knobs else {}
    return alone | (start.get("values") or {})


def write(folder: Folder, students: pandas.DataFrame) -> None:
    """Writes students.csv."""
    records.replace(records.students_file(folder), students.to_csv(index=False))
