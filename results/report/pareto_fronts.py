"""Accuracy against model size, computation and latency, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas

from results import wording
from results.fronts import pareto_front, with_fastest_latency
from results.records import Row
from results.students import table_rows
from results.thinning import thin
from spaces.objectives import COSTS

MAX_POINTS = 300


class Point(NamedTuple):
    """One configuration: its cost, mean validation accuracy in percent, and tooltip."""

    group: str
    cost: float
    percent: float
    tip: str
    front: bool


class ParetoFigure(NamedTuple):
    """Accuracy against one cost."""

    key: str
    name: str
    points: list[Point]
    caption: str


def pareto_figures(
    lines: pandas.DataFrame, knobs: list[str], objectives: Sequence[str] = ("val_accuracy",)
) -> list[ParetoFigure]:
    """Return one figure per cost with differences between students, costs among `objectives` first.

    The teacher is shown but is not part of the front. `lines` is the leaderboard. The front of a search for accuracy
    and one cost is that of the leaderboard.
    """
    finished = with_fastest_latency(lines[(lines["n"] > 0) & lines["val_accuracy"].notna()])
    is_student = finished["stage"] != "teacher"
    costs = [cost for cost in COSTS if finished[cost][is_student].nunique() > 1]
    return [
        _pareto_figure(finished.dropna(subset=[cost]), cost, knobs, {"val_accuracy", cost} == {*objectives})
        for cost in sorted(costs, key=lambda cost: cost not in objectives)
    ]


def _pareto_figure(lines: pandas.DataFrame, cost: str, knobs: list[str], searched: bool) -> ParetoFigure:
    students = lines[lines["stage"] != "teacher"]
    costs_and_scores = students[["val_accuracy", cost]].to_numpy(float).tolist()
    marks = pareto_front(costs_and_scores, ["val_accuracy", cost])
    front = students["front"] if searched else pandas.Series(marks, students.index)
    on_front = front.reindex(lines.index, fill_value=False)
    always = on_front | lines["stage"].isin(["baseline", "teacher"])
    shown, note = thin(lines, -lines["val_accuracy"], MAX_POINTS, always)
    points = [
        _point(line, cost, knobs, is_on_front)
        for line, is_on_front in zip(table_rows(shown), on_front[shown.index], strict=True)
    ]
    caption = [
        f"One point per configuration; {front.sum()} on the Pareto front: no other {'ranked ' * searched}student is "
        "both cheaper and better on validation.",
        note,
        COSTS[cost].note,
    ]
    return ParetoFigure(cost, COSTS[cost].name, points, " ".join(filter(None, caption)))


def _point(line: Row, cost: str, knobs: list[str], on_front: bool) -> Point:
    group = "chosen" if not pandas.isna(line["rank"]) and line["rank"] == 1 else line["stage"]
    tip = [
        ", ".join(filter(None, [line["stage"], wording.format_configuration(line, knobs)])),
        f"{_cost_text(line[cost])} {COSTS[cost].unit}",
        f"validation {wording.format_percent(line['val_accuracy'])} %",
        f"test {wording.format_percent(line['test_accuracy'], line['test_std'])} % (n = {line['n']})",
    ]
    return Point(group, float(line[cost]), round(100 * float(line["val_accuracy"]), 4), "\n".join(tip), bool(on_front))


def _cost_text(cost: float) -> str:
    return f"{cost:,.0f}" if cost >= 100 else f"{cost:.3g}"
