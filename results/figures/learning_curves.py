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
from results.students import knob_columns

GROUPS = ("configuration", "stopped", "running", "finished", "baseline", "chosen")  # in drawing order, the last on top
LOWEST_QUANTILE = 0.05  # of the accuracies after the first quarter of the epochs: the lower end of the axis


class Curve(NamedTuple):
    """Validation accuracy in percent after each of `epochs`."""

    group: str
    label: str
    epochs: list[int]
    percent: list[float]


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
    """Return one curve per student, without failed and diverged students.

    `lines` is the leaderboard.
    """
    students, epochs = _trained_students(experiment), dict(iter(_scored_epochs(experiment).groupby("trial")))
    knobs = knob_columns(students)
    curves = [
        _student_curve(group, student, knobs, epochs[student["trial"]])
        for group, (_, student) in zip(_student_groups(students, lines), students.iterrows(), strict=True)
        if student["trial"] in epochs
    ]
    counts = {group: sum(curve.group == group for curve in curves) for group in reversed(GROUPS)}
    shown = ", ".join(f"{count} {group}" for group, count in counts.items() if count)
    caption = (
        f"One line per student ({shown or 'none yet'}). The axis covers the range in which they differ; double-click "
        "the figure to see everything."
    )
    return _learning_curves(experiment, curves, caption)


def configuration_curves(experiment: Experiment, lines: pandas.DataFrame) -> LearningCurves:
    """Return one curve per configuration, the mean over its seeds.

    The chosen configuration and its baseline have a further curve each. `lines` is the leaderboard.
    """
    students, epochs = _trained_students(experiment), _scored_epochs(experiment)
    groups = [("configuration", "", group) for group in leaderboard.group_configurations(students)]
    chosen = _chosen_and_baseline(students, lines)
    if chosen is not None:
        knobs = knob_columns(students)
        label = f"best: {wording.format_configuration(dict(lines[lines['rank'] == 1].iloc[0]), knobs)}"
        groups += [("baseline", "baseline", chosen[1]), ("chosen", label, chosen[0])]
    curves = [_mean_curve(*group, epochs) for group in groups]
    return _learning_curves(experiment, [curve for curve in curves if curve.epochs], "")


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
    chosen = leaderboard.matching_students(students, values)
    baselines = grids.matching_baselines(students, {knob: values[knob] for knob in knobs})
    return chosen[chosen["status"] == "finished"], baselines


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


def _student_curve(group: str, student: pandas.Series, knobs: list[str], epochs: pandas.DataFrame) -> Curve:
    ordered = epochs.sort_values("epoch")
    label = f"{wording.format_configuration(dict(student), knobs)}, seed {student['seed']}"
    percent = [round(100 * float(value), 3) for value in ordered["val_accuracy"]]
    return Curve(group, label.lstrip(", "), [int(epoch) for epoch in ordered["epoch"]], percent)


def _mean_curve(group: str, label: str, students: pandas.DataFrame, epochs: pandas.DataFrame) -> Curve:
    """Return the mean over students, up to their last common epoch."""
    scores = epochs[epochs["trial"].isin(students["trial"])].groupby("epoch")["val_accuracy"]
    mean = scores.mean()[scores.count() == len(students)]  # a mean over fewer seeds would jump
    return Curve(group, label, [int(epoch) for epoch in mean.index], [100 * float(value) for value in mean])


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
