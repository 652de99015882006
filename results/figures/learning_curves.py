"""Learning curves: validation accuracy by epoch.

The report page shows one curve per student, `curves.png` one per configuration.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy
import pandas

from results import grids, leaderboard, wording
from results.experiment import Experiment
from results.figures.titles import figure_title
from results.records import Row
from results.students import knob_columns, table_rows
from results.thinning import thin

MAX_CURVES = 400  # of students
MAX_CURVE_EPOCHS = 100  # of one student
GROUPS = ("configuration", "stopped", "running", "finished", "baseline", "chosen")  # in drawing order, the last on top
LOWEST_QUANTILE = 0.05  # of the accuracies after the first quarter of the epochs: the lower end of the axis


class Curve(NamedTuple):
    """Validation accuracy in percent after each of `epochs`."""

    group: str
    label: str
    epochs: list[int]
    percent: list[float]
    deviation: list[float]  # over the seeds of a configuration; NaN for one seed, empty for a student


class LearningCurves(NamedTuple):
    """Curves, final validation accuracies of the teachers, and axis limits.

    All in percent.
    """

    title: str
    curves: list[Curve]
    teachers: list[float]
    low: float
    high: float
    caption: str


def student_curves(experiment: Experiment, lines: pandas.DataFrame) -> LearningCurves:
    """Return curves of students, without failed and diverged students.

    Of more than MAX_CURVES students a selection is shown. `lines` is the leaderboard.
    """
    students, epochs = _trained_students(experiment), _scored_epochs(experiment).sort_values("epoch")
    students = students[students["trial"].isin(epochs["trial"])]
    groups = _student_groups(students, lines)
    thinned = thin(students, -students["val_accuracy"], MAX_CURVES, groups.isin(["chosen", "baseline", "running"]))
    shown_epochs = epochs[epochs["trial"].isin(thinned.shown["trial"])]
    points = {
        trial: list(zip(group["epoch"], group["val_accuracy"], strict=True))
        for trial, group in shown_epochs.groupby("trial")
    }
    knobs = knob_columns(students)
    curves = [
        _student_curve(group, student, knobs, points[student["trial"]])
        for group, student in zip(groups[thinned.shown.index], table_rows(thinned.shown), strict=True)
    ]
    counts = {group: int((groups == group).sum()) for group in reversed(GROUPS)}
    totals = ", ".join(f"{count} {group}" for group, count in counts.items() if count)
    caption = [
        f"One line per student ({totals or 'none yet'}).",
        thinned.note,
        "The axis covers the range in which they differ; double-click the figure to see everything.",
    ]
    return _learning_curves(experiment, curves, " ".join(filter(None, caption)))


def configuration_curves(experiment: Experiment, lines: pandas.DataFrame) -> LearningCurves:
    """Return one curve per configuration, the mean over its seeds.

    The chosen configuration and its baseline have a further curve each. `lines` is the leaderboard.
    """
    students, epochs = _trained_students(experiment), _scored_epochs(experiment)
    curves = _mean_curves("configuration", "", epochs, students, leaderboard.configuration_numbers(students))
    chosen = _chosen_and_baseline(students, lines)
    if chosen is not None:
        knobs = knob_columns(students)
        label = f"best: {wording.format_configuration(dict(lines[lines['rank'] == 1].iloc[0]), knobs)}"
        for group, text, members in (("baseline", "baseline", chosen[1]), ("chosen", label, chosen[0])):
            curves += _mean_curves(group, text, epochs, members, pandas.Series(0, members.index))
    return _learning_curves(experiment, curves, "")


def _learning_curves(experiment: Experiment, curves: list[Curve], caption: str) -> LearningCurves:
    teachers = [100 * row["val_accuracy"] for row in experiment.teachers.values() if row.get("val_accuracy")]
    low, high = _axis_limits(curves, teachers)
    title = figure_title(experiment, "Validation accuracy")
    ordered = sorted(curves, key=lambda curve: GROUPS.index(curve.group))
    return LearningCurves(title, ordered, teachers, low, high, caption)


def _trained_students(experiment: Experiment) -> pandas.DataFrame:
    return experiment.students[~experiment.students["status"].isin(["failed", "diverged"])]


def _scored_epochs(experiment: Experiment) -> pandas.DataFrame:
    return experiment.epochs.dropna(subset=["val_accuracy"])


def _chosen_and_baseline(
    students: pandas.DataFrame, lines: pandas.DataFrame
) -> tuple[pandas.DataFrame, pandas.DataFrame] | None:
    """Return the students of the best configuration and those of its baseline."""
    ranked, knobs = lines[lines["rank"] == 1], knob_columns(students)
    if ranked.empty:
        return None
    values = dict(ranked.iloc[0][["stage", *knobs]])
    finished = students[students["status"] == "finished"]
    chosen = leaderboard.matching_students(finished, values)
    return chosen, grids.matching_baselines(finished, {knob: values[knob] for knob in knobs})


def _student_groups(students: pandas.DataFrame, lines: pandas.DataFrame) -> pandas.Series:
    """Return a group per student.

    A baseline of another recipe than the chosen one goes by its status.
    """
    groups = students["status"].astype(object)
    pair = _chosen_and_baseline(students, lines)
    if pair is None:
        groups[students["stage"] == "baseline"] = "baseline"
        return groups
    chosen, baselines = pair
    groups[baselines.index] = "baseline"
    groups[chosen.index] = "chosen"
    return groups


def _student_curve(group: str, student: Row, knobs: list[str], points: list[tuple[int, float]]) -> Curve:
    label = f"{wording.format_configuration(student, knobs)}, seed {student['seed']}"
    every = -(-len(points) // MAX_CURVE_EPOCHS)
    shown = points[(len(points) - 1) % every :: every]  # with the last epoch
    percent = [round(100 * float(value), 3) for _, value in shown]
    return Curve(group, label.lstrip(", "), [int(epoch) for epoch, _ in shown], percent, [])


def _mean_curves(
    group: str, label: str, epochs: pandas.DataFrame, students: pandas.DataFrame, numbers: pandas.Series
) -> list[Curve]:
    """Return the means over the students of each number.

    Each ends with the last common epoch of its students.
    """
    by_trial = dict(zip(students["trial"], numbers, strict=True))
    numbered = epochs.assign(number=epochs["trial"].map(by_trial)).dropna(subset=["number"])
    means = numbered.groupby(["number", "epoch"])["val_accuracy"].agg(["mean", "std", "count"]).reset_index()
    # a mean over fewer seeds would jump
    complete = means[means["count"] == means["number"].map(numbers.value_counts())]
    return [
        Curve(group, label, rows["epoch"].tolist(), (100 * rows["mean"]).tolist(), (100 * rows["std"]).tolist())
        for _, rows in complete.groupby("number")
    ]


def _axis_limits(curves: list[Curve], teachers: list[float]) -> tuple[float, float]:
    """Return axis limits in percent for the range of differences.

    First epochs, stopped students and the lowest curves may lie outside.
    """
    complete = [curve for curve in curves if curve.group != "stopped"] or curves
    late = [value for curve in complete for value in curve.percent[len(curve.percent) // 4 :]]
    if not late:
        return 0.0, 100.0
    marked = [curve.percent[-1] for curve in curves if curve.group in ("chosen", "baseline")]
    low, high = min([float(numpy.quantile(late, LOWEST_QUANTILE)), *marked]), max([*late, *teachers])
    margin = 0.08 * (high - low) + 0.05
    return max(0.0, low - margin), min(100.0, high + margin)
