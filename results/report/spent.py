"""What the experiment cost, and which students came to nothing."""

from __future__ import annotations

from typing import NamedTuple

import pandas

from results import wording
from results.experiment import Experiment
from results.report.summary import configuration
from results.students import knobs


class Stage(NamedTuple):
    """The students of a stage: how many, how they ended, the student-epochs trained and the seconds of training."""

    name: str
    students: int
    statuses: str
    epochs: int
    seconds: float


class Spent(NamedTuple):
    """Costs by stage, everything together last; the time the search took and its GPU-hours as text."""

    stages: list[Stage]
    wall: str
    gpus: str


class Failure(NamedTuple):
    """One student that failed or diverged, and why."""

    trial: str
    stage: str
    status: str
    configuration: str
    seed: str
    epochs: int
    reason: str


def spent(experiment: Experiment) -> Spent:
    """What students and teachers cost; a teacher that was taken from the cache cost nothing."""
    students, teachers = experiment.students, list(experiment.teachers.values())
    stages = [_stage(str(name), group) for name, group in students.groupby("stage", sort=False)]
    taught = [row for row in teachers if not row.get("cached")]
    if teachers:
        cached = len(teachers) - len(taught)
        note = f"{len(taught)} taught" + f", {cached} from the cache" * bool(cached)
        numbers = [sum(row.get(key) or 0 for row in taught) for key in ("epochs", "train_seconds")]
        stages.append(Stage("teacher", len(teachers), note, int(numbers[0]), float(numbers[1])))
    seconds = experiment.environment.get("wall_seconds")
    together = _together(stages)
    wall = wording.duration(seconds) if seconds else "not done"
    return Spent([*stages, together], wall, _gpus(together.seconds, experiment.space.resources.gpus))


def _gpus(seconds: float, share: float | None) -> str:
    """Hours of training, each for the share of a GPU that the space gives a student."""
    if not share:
        return "GPU-hours: none, students had processors alone"
    return f"GPU-hours: {seconds / 3600 * share:.3f}, at {share:g} GPU for each training"


def _stage(name: str, students: pandas.DataFrame) -> Stage:
    counts = ", ".join(f"{count} {status}" for status, count in students["status"].value_counts().items())
    return Stage(name, len(students), counts, int(students["epochs"].sum()), float(students["train_seconds"].sum()))


def _together(stages: list[Stage]) -> Stage:
    students, epochs = sum(stage.students for stage in stages), sum(stage.epochs for stage in stages)
    return Stage("together", students, "", epochs, sum(stage.seconds for stage in stages))


def failures(experiment: Experiment) -> list[Failure]:
    """The students that failed or diverged, with the reasons their rows give."""
    students = experiment.students
    lost = students[students["status"].isin(["failed", "diverged"])]
    return [_failure(student, knobs(students)) for _, student in lost.iterrows()]


def _failure(student: pandas.Series, names: list[str]) -> Failure:
    reason = "–" if pandas.isna(student["reason"]) else str(student["reason"])
    shown = configuration(student, names) or "–"
    kept = (student["trial"], student["stage"], student["status"], shown, str(student["seed"]), int(student["epochs"]))
    return Failure(*kept, reason)
