"""Training cost by stage, and failed students."""

from __future__ import annotations

from typing import NamedTuple

import pandas

from results import wording
from results.experiment import Experiment
from results.leaderboard import FAILURES
from results.records import Row
from results.students import knob_columns, table_rows

MAX_FAILURES = 1000  # listed


class StageCost(NamedTuple):
    """Students of one stage, their final statuses, student-epochs and seconds of training."""

    name: str
    students: int
    statuses: str
    epochs: int
    seconds: float


class Costs(NamedTuple):
    """Cost by stage (the total last), wall time and GPU-hours."""

    stages: list[StageCost]
    wall: str
    gpu_hours: str


class Failure(NamedTuple):
    """A failed or diverged student and the reason."""

    trial: str
    stage: str
    status: str
    configuration: str
    seed: str
    epochs: int
    reason: str


def experiment_costs(experiment: Experiment) -> Costs:
    """Return the cost of students and teachers.

    A teacher loaded from the cache costs nothing.
    """
    stages = [_stage_cost(str(name), group) for name, group in experiment.students.groupby("stage", sort=False)]
    if experiment.teachers:
        stages.append(_teacher_cost(experiment))
    total = StageCost(
        "total",
        sum(stage.students for stage in stages),
        "",
        sum(stage.epochs for stage in stages),
        sum(stage.seconds for stage in stages),
    )
    seconds = experiment.environment.get("wall_seconds")
    wall = wording.format_duration(seconds) if seconds else "not done"
    return Costs([*stages, total], wall, _gpu_hours(total.seconds, experiment.space.resources.gpus))


def _stage_cost(name: str, students: pandas.DataFrame) -> StageCost:
    counts = ", ".join(f"{count} {status}" for status, count in students["status"].value_counts().items())
    return StageCost(name, len(students), counts, int(students["epochs"].sum()), float(students["train_seconds"].sum()))


def _teacher_cost(experiment: Experiment) -> StageCost:
    teachers = list(experiment.teachers.values())
    trained = [row for row in teachers if not row.get("cached")]
    cached = len(teachers) - len(trained)
    statuses = f"{len(trained)} trained" + f", {cached} from the cache" * bool(cached)
    epochs, seconds = (sum(row.get(key) or 0 for row in trained) for key in ("epochs", "train_seconds"))
    return StageCost("teacher", len(teachers), statuses, int(epochs), float(seconds))


def _gpu_hours(seconds: float, gpus: float | None) -> str:
    if not gpus:
        return "GPU-hours: none, students were trained on CPUs"
    return f"GPU-hours: {seconds / 3600 * gpus:.3f}, at {gpus:g} GPU per training"


def failures(experiment: Experiment) -> list[Failure]:
    """Return the failed and diverged students, at most MAX_FAILURES."""
    students = experiment.students
    failed = students[students["status"].isin(FAILURES)].head(MAX_FAILURES)
    return [_student_failure(student, knob_columns(students)) for student in table_rows(failed)]


def _student_failure(student: Row, knobs: list[str]) -> Failure:
    return Failure(
        student["trial"],
        student["stage"],
        student["status"],
        wording.format_configuration(student, knobs) or "–",
        str(student["seed"]),
        int(student["epochs"]),
        "–" if pandas.isna(student["reason"]) else str(student["reason"]),
    )
