"""What early stopping did: who was stopped where, and whether the order at a rung was the order at the end."""

from __future__ import annotations

from typing import NamedTuple

import pandas

from results import wording
from results.experiment import Experiment
from results.report.summary import configuration
from results.students import knobs
from spaces.sections import rungs


class Rung(NamedTuple):
    """One epoch after which students were judged: how many came to it, how many were stopped at it, and the rank
    correlation (Spearman) of its accuracies with the final ones, over the `n` that finished; None below three."""

    epoch: int
    reached: int
    stopped: int
    correlation: float | None
    n: int


class Stopped(NamedTuple):
    """One student that was stopped, its epochs, and its last validation accuracy as text."""

    trial: str
    configuration: str
    epochs: int
    validation: str


class Stopping(NamedTuple):
    """The rungs and the stopped, and the student-epochs that were planned for them and not spent."""

    rungs: list[Rung]
    stopped: list[Stopped]
    saved: int


def stopping(experiment: Experiment) -> Stopping | None:
    """What early stopping did among the explored students; None where nobody was stopped."""
    students = experiment.students
    explored = _explored(students)
    stopped = explored[explored["status"] == "stopped"]
    if stopped.empty:
        return None
    scores = experiment.epochs.pivot_table(index="trial", columns="epoch", values="val_accuracy")
    rungs = sorted({*rung_epochs(experiment), *(int(epoch) for epoch in stopped["epochs"])})
    return Stopping(
        rungs=[_rung(epoch, explored, scores) for epoch in rungs],
        stopped=[_stopped(student, knobs(students)) for _, student in stopped.sort_values("epochs").iterrows()],
        saved=int((stopped["planned_epochs"] - stopped["epochs"]).sum()),
    )


def _explored(students: pandas.DataFrame) -> pandas.DataFrame:
    """The students of the search: where it may do without a teacher, also those that are otherwise baselines."""
    explored, alone = (students[students["stage"] == stage] for stage in ("explore", "baseline"))
    if not (alone["status"] == "stopped").any():
        return explored
    return pandas.concat([explored, alone[alone["seed"].isin(explored["seed"])]])


def rung_epochs(experiment: Experiment) -> list[int]:
    """The epochs of ASHA's rungs below the end: grace, grace · reduction, …; none for other schedulers."""
    search, end = experiment.space.search, experiment.students["planned_epochs"].max()
    return rungs(search.grace_period, search.reduction, end) if search.scheduler == "asha" else []


def _rung(epoch: int, explored: pandas.DataFrame, scores: pandas.DataFrame) -> Rung:
    stopped = (explored["status"] == "stopped") & (explored["epochs"] == epoch)
    done = explored[explored["status"] == "finished"]
    here = done["trial"].map(scores[epoch]) if epoch in scores else done["val_accuracy"].iloc[:0]
    pairs = pandas.DataFrame({"here": here, "end": done["val_accuracy"]}).dropna()
    told = len(pairs) >= 3 and (pairs.nunique() > 1).all()
    ranks = pairs.rank()  # Spearman's correlation is Pearson's of the ranks; scipy.stats takes a second to import
    correlation = round(float(ranks["here"].corr(ranks["end"])), 3) if told else None
    return Rung(epoch, int((explored["epochs"] >= epoch).sum()), int(stopped.sum()), correlation, len(pairs))


def _stopped(student: pandas.Series, names: list[str]) -> Stopped:
    percent = wording.percent(student["val_accuracy"])
    return Stopped(student["trial"], configuration(student, names), int(student["epochs"]), percent)
