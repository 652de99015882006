"""Rows of an experiment as DataFrames, per student or per epoch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from results import paths, records
from results.paths import Folder
from results.records import Row
from spaces import space
from spaces.metrics import METRIC_FIELDS, TEST_FIELDS, VAL_FIELDS

if TYPE_CHECKING:
    import pandas

_FIRST_COLUMNS = [
    *("trial", "stage", "status", "seed", "epochs", "val_accuracy", "test_accuracy", "best_epoch", "train_seconds"),
    *("val_loss", "best_val_accuracy", "agreement", "parameters", "macs", "latency_ms", "planned_epochs"),
]
STUDENT_COLUMNS = [
    *_FIRST_COLUMNS,
    *(name for name in METRIC_FIELDS if name not in _FIRST_COLUMNS),
    *("teacher_key", "teacher_seed", "train_on", "reason"),
]
INTEGER_COLUMNS = {"seed", "epochs", "best_epoch", "parameters", "macs", "planned_epochs", "teacher_seed"}
TEXT_COLUMNS = {"trial", "stage", "status", "teacher_key", "train_on", "reason"}
EPOCH_COLUMNS = ["trial", "epoch", "train_loss", *VAL_FIELDS, "lr", "seconds", "time"]
DIAGNOSIS_PREFIX = "diagnosis."  # of numbers that only some networks have
# Values of fields that the rows of earlier versions lack.
MISSING_FIELDS: Row = {"values": {}, "suggested": None, "study": "explore", "planned_epochs": None, "time": 0.0}
OLD_TEACHER_WEIGHTS = ["method.alpha"]  # of folders made before teacher weights were recorded


class History(NamedTuple):
    """Rows of one student.

    `start` is its first row, `epochs` has one per finished epoch, `end` is its last one (empty while it is running).
    `end["status"]` is one of `records.STATUSES`.
    """

    start: Row
    epochs: list[Row]
    end: Row


def read_students(folder: Folder) -> pandas.DataFrame:
    """Return one row per student, with the metrics of its last epoch.

    Accuracies are fractions. Raises UserError if the folder holds no experiment.
    """
    import pandas  # here and below: rows are read without it

    records.require_experiment(folder)
    recorded = space.load_recorded_space(paths.space_file(folder))
    knobs = recorded.knobs
    rows = [_student_row(student, recorded) for student in histories(folder)]
    names = dict.fromkeys([*STUDENT_COLUMNS, *knobs, *(name for row in rows for name in row)])
    return pandas.DataFrame({name: _student_column(rows, name) for name in names})


def _student_column(rows: list[Row], name: str) -> pandas.Series:
    import pandas

    values = [float("nan") if row.get(name) is None else row[name] for row in rows]
    if name in INTEGER_COLUMNS:
        return pandas.Series(values, dtype="Int64")
    # knob values are labels: a float column would turn a 4 into 4.0 if the baseline has none
    is_number = name not in TEXT_COLUMNS and (name in STUDENT_COLUMNS or name.startswith(DIAGNOSIS_PREFIX))
    return pandas.Series(values, dtype=float if is_number else object)


def read_epochs(folder: Folder) -> pandas.DataFrame:
    """Return one row per student and epoch.

    Losses are per image, accuracies are fractions, seconds are of training.
    """
    import pandas

    records.require_experiment(folder)
    rows = [{**epoch, "trial": student.start["trial"]} for student in histories(folder) for epoch in student.epochs]
    return pandas.DataFrame(rows, columns=pandas.Index(EPOCH_COLUMNS))


def knob_columns(students: pandas.DataFrame) -> list[str]:
    """Return the columns of `read_students` that are knobs, by dotted path."""
    return [name for name in students.columns if name not in STUDENT_COLUMNS and not name.startswith(DIAGNOSIS_PREFIX)]


def diagnosis_columns(students: pandas.DataFrame) -> list[str]:
    """Return the columns of `read_students` that describe parts of a network."""
    return [name for name in students.columns if name.startswith(DIAGNOSIS_PREFIX)]


def table_rows(table: pandas.DataFrame) -> list[Row]:
    """Return the rows of a table as dicts."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def histories(folder: Folder) -> Iterable[History]:
    """Yield the students with a first row, sorted by name."""
    students = (history(folder, trial) for trial in records.trial_names(folder))
    return (student for student in students if student is not None)


def history(folder: Folder, trial: str) -> History | None:
    """Return the rows of one student, None without a first row."""
    rows = records.read_rows(folder, trial)
    starts = [row for row in rows if row["kind"] == "student"]
    if not starts:
        return None
    needs_scores = starts[-1].get("train_on") != "all"  # otherwise no validation images are left
    epochs = _valid_epochs(row for row in rows if row["kind"] == "epoch" and (_has_scores(row) or not needs_scores))
    # only a last row ends a student: a retried one has an end in the middle
    end = rows[-1] if rows[-1]["kind"] == "end" else {}
    if not epochs and end.get("status") == "finished":  # its epochs were lost, so it is not finished
        end = {}
    # a later stage may start a suggested student again without a suggestion; it still counts as one
    proposal = next((row for row in starts if row.get("suggested") is not None), {})
    proposed = {name: proposal[name] for name in ("suggested", "study") if name in proposal}
    return History(MISSING_FIELDS | starts[-1] | proposed, epochs, end)


def _has_scores(row: Row) -> bool:
    """True if an epoch has the two metrics of every version."""
    return row.get("val_accuracy") is not None and row.get("val_loss") is not None


def _valid_epochs(rows: Iterable[Row]) -> list[Row]:
    """Return the epochs of the present weights.

    A repeated epoch replaces the earlier one and drops all after it.
    """
    valid: dict[int, Row] = {}
    for row in rows:
        valid = {epoch: earlier for epoch, earlier in valid.items() if epoch < row["epoch"]} | {row["epoch"]: row}
    return list(valid.values())


def _student_row(student: History, recorded: space.Space) -> Row:
    start, end = student.start, student.end
    copied = {name: start.get(name) for name in STUDENT_COLUMNS if name in start}
    values = recorded.normalize_labels(knob_values(start, recorded.knobs))
    copied["teacher_key"] = start.get("teacher")  # "teacher" is a knob where whole teachers are the options
    return copied | _epoch_summary(student.epochs) | _final_scores(end) | values


def _final_scores(end: Row) -> Row:
    scores = {name: end.get(name) for name in (*TEST_FIELDS, "agreement", "latency_ms", "reason")}
    scores |= {f"{DIAGNOSIS_PREFIX}{name}": value for name, value in (end.get("diagnosis") or {}).items()}
    return scores | {"status": end.get("status", "running")}


def _epoch_summary(rows: list[Row]) -> Row:
    last: Row = rows[-1] if rows else {}
    scored = (row for row in rows if row["val_accuracy"] is not None)
    best: Row = max(scored, key=lambda row: row["val_accuracy"], default={})
    return {
        "epochs": last.get("epoch", 0),
        **{name: last.get(name) for name in VAL_FIELDS},
        "best_epoch": best.get("epoch"),
        "best_val_accuracy": best.get("val_accuracy"),
        "train_seconds": sum(row.get("seconds") or 0.0 for row in rows),
    }


def read_teacher_weights(folder: Folder) -> list[str]:
    """Return the dotted paths of the teacher weights of an experiment."""
    return records.read_environment(folder).get("teacher_weights", OLD_TEACHER_WEIGHTS)


def knob_values(start: Row, knobs: list[str]) -> dict[str, Any]:
    """Return the knob values of a student; a baseline has 0 for each teacher weight."""
    weights = start.get("teacher_weights", OLD_TEACHER_WEIGHTS) if start.get("stage") == "baseline" else ()
    return {name: 0 for name in weights if name in knobs} | (start.get("values") or {})


def write_students(folder: Folder, students: pandas.DataFrame) -> None:
    """Write students.csv."""
    records.write_file(paths.students_file(folder), students.to_csv(index=False))
