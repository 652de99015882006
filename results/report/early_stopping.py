"""Effect of early stopping, by rung of the scheduler."""

from __future__ import annotations

from typing import NamedTuple

import pandas

from results import wording
from results.experiment import Experiment
from results.records import Row
from results.students import knob_columns, table_rows
from results.thinning import thin
from spaces.search_section import rung_epochs

MAX_STOPPED = 200  # listed
FEWEST_PAIRS = 3  # finished students; a correlation of fewer says nothing


class Rung(NamedTuple):
    """One comparison of students by the scheduler.

    `correlation` is Spearman's, of validation accuracies after this epoch and at the end, over the `n` finished
    students; None with fewer than three.
    """

    epoch: int
    reached: int
    stopped: int
    correlation: float | None
    n: int


class StoppedStudent(NamedTuple):
    """A stopped student and its last validation accuracy."""

    trial: str
    configuration: str
    epochs: int
    validation: str


class EarlyStopping(NamedTuple):
    """Rungs, stopped students, their number, and the student-epochs saved."""

    rungs: list[Rung]
    stopped: list[StoppedStudent]
    note: str
    total: int
    saved: int


def early_stopping(experiment: Experiment) -> EarlyStopping | None:
    """Return the effect of early stopping on the explored students.

    None if no student was stopped.
    """
    students = experiment.students
    explored = _explored_students(students)
    stopped = explored[explored["status"] == "stopped"]
    if stopped.empty:
        return None
    scores = experiment.epochs.pivot_table(index="trial", columns="epoch", values="val_accuracy")
    rungs = sorted({*asha_rungs(experiment), *(int(epoch) for epoch in stopped["epochs"])})
    knobs = knob_columns(students)
    shown, note = thin(stopped, -stopped["val_accuracy"], MAX_STOPPED)
    return EarlyStopping(
        rungs=[_rung(epoch, explored, scores) for epoch in rungs],
        stopped=[_stopped_student(student, knobs) for student in table_rows(shown.sort_values("epochs"))],
        note=note,
        total=len(stopped),
        saved=int((stopped["planned_epochs"] - stopped["epochs"]).sum()),
    )


def _explored_students(students: pandas.DataFrame) -> pandas.DataFrame:
    """Return the students proposed by the search.

    A searched method without a teacher makes baselines; these count too once one of them was stopped.
    """
    explored, baselines = (students[students["stage"] == stage] for stage in ("explore", "baseline"))
    if not (baselines["status"] == "stopped").any():
        return explored
    return pandas.concat([explored, baselines[baselines["seed"].isin(explored["seed"])]])


def asha_rungs(experiment: Experiment) -> list[int]:
    """Return the epochs of ASHA's rungs; empty for other schedulers."""
    search, last = experiment.space.search, experiment.students["planned_epochs"].max()
    return rung_epochs(search.grace_period, search.reduction, last) if search.scheduler == "asha" else []


def _rung(epoch: int, explored: pandas.DataFrame, scores: pandas.DataFrame) -> Rung:
    stopped = (explored["status"] == "stopped") & (explored["epochs"] == epoch)
    finished = explored[explored["status"] == "finished"]
    here = finished["trial"].map(scores[epoch]) if epoch in scores else finished["val_accuracy"].iloc[:0]
    pairs = pandas.DataFrame({"here": here, "end": finished["val_accuracy"]}).dropna()
    defined = len(pairs) >= FEWEST_PAIRS and (pairs.nunique() > 1).all()
    ranks = pairs.rank()  # Spearman's correlation is Pearson's of the ranks; scipy.stats takes a second to import
    correlation = round(float(ranks["here"].corr(ranks["end"])), 3) if defined else None
    return Rung(epoch, int((explored["epochs"] >= epoch).sum()), int(stopped.sum()), correlation, len(pairs))


def _stopped_student(student: Row, knobs: list[str]) -> StoppedStudent:
    percent = wording.format_percent(student["val_accuracy"])
    return StoppedStudent(
        student["trial"], wording.format_configuration(student, knobs), int(student["epochs"]), percent
    )
