"""Learning curves: every student a line, those that were stopped early told apart."""

from __future__ import annotations

from typing import NamedTuple

import numpy
import pandas

from results import grids, leaderboard
from results.experiment import Experiment
from results.report.summary import configuration
from results.students import knobs

GROUPS = ("stopped", "running", "finished", "baseline", "chosen")  # in the order drawn, the last on top


class Curve(NamedTuple):
    """Validation accuracy in percent of one student after each of `epochs`."""

    group: str
    label: str
    epochs: list[int]
    percent: list[float]


class Learning(NamedTuple):
    """The curves, each teacher's final validation accuracy, and the percents between which the curves differ."""

    curves: list[Curve]
    teachers: list[float]
    low: float
    high: float
    caption: str


def learning(experiment: Experiment, lines: pandas.DataFrame) -> Learning:
    """The learning curves of all students but those that failed or diverged."""
    students = experiment.students[~experiment.students["status"].isin(["failed", "diverged"])]
    groups, names = _groups(students, lines), knobs(students)
    scored = experiment.epochs.dropna(subset=["val_accuracy"])
    seen = dict(iter(scored.groupby("trial")))
    found = [
        _curve(group, f"{configuration(student, names)}, seed {student['seed']}".lstrip(", "), seen[student["trial"]])
        for group, (_, student) in zip(groups, students.iterrows(), strict=True)
        if student["trial"] in seen
    ]
    teachers = [100 * row["val_accuracy"] for row in experiment.teachers.values() if row.get("val_accuracy")]
    return Learning(
        sorted(found, key=lambda curve: GROUPS.index(curve.group)), teachers, *_limits(found, teachers), _caption(found)
    )


def _groups(students: pandas.DataFrame, lines: pandas.DataFrame) -> pandas.Series:
    groups = students["status"].astype(object)
    groups[students["stage"] == "baseline"] = "baseline"
    ranked = lines[lines["rank"] == 1]
    if len(ranked):
        best = dict(ranked.iloc[0][["stage", *knobs(students)]])
        chosen = leaderboard.matching(students, best)
        groups[chosen.index[chosen["status"] == "finished"]] = "chosen"
        alone = grids.reference(students, {name: best[name] for name in knobs(students)})
        others = (groups == "baseline") & ~students.index.isin(alone.index)
        groups[others] = students["status"][others]  # of other recipes: no comparison for the chosen one
    return groups


def _curve(group: str, label: str, rows: pandas.DataFrame) -> Curve:
    ordered = rows.sort_values("epoch")
    return Curve(
        group, label, [int(e) for e in ordered["epoch"]], [round(100 * float(a), 3) for a in ordered["val_accuracy"]]
    )


def _limits(curves: list[Curve], teachers: list[float]) -> tuple[float, float]:
    """Where the curves differ: first epochs, stopped students and those far below the rest may leave the picture."""
    kept = [curve for curve in curves if curve.group != "stopped"] or curves
    late = [value for curve in kept for value in curve.percent[len(curve.percent) // 4 :]]
    if not late:
        return 0.0, 100.0
    marked = [curve.percent[-1] for curve in curves if curve.group in ("chosen", "baseline")]
    low, high = min([float(numpy.quantile(late, 0.05)), *marked]), max([*late, *teachers])
    margin = 0.08 * (high - low) + 0.05
    return max(0.0, low - margin), min(100.0, high + margin)


def _caption(curves: list[Curve]) -> str:
    counts = {group: sum(curve.group == group for curve in curves) for group in reversed(GROUPS)}
    shown = ", ".join(f"{count} {group}" for group, count in counts.items() if count)
    whole = "The axis shows where they differ; double-click the picture for everything."
    return f"One line per student ({shown or 'none yet'}). {whole}"
