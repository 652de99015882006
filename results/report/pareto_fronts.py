"""Accuracy against model size, computation and latency, with the Pareto front."""

from __future__ import annotations

from typing import NamedTuple

import pandas

from results import wording
from results.records import Row
from results.students import table_rows
from results.thinning import thin

MAX_POINTS = 300


class CostAxis(NamedTuple):
    """Title and unit of a cost, and a note for the caption."""

    name: str
    unit: str
    note: str = ""


COSTS = {
    "parameters": CostAxis("parameters", "parameters"),
    "macs": CostAxis("multiply-accumulates per image", "multiply-accumulates per image"),
    "latency_ms": CostAxis(
        "latency of one image (ms)", "ms", "Timed in PyTorch, on one thread of the machine that trained."
    ),
}


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


def pareto_figures(lines: pandas.DataFrame, knobs: list[str]) -> list[ParetoFigure]:
    """Return one figure per cost with differences between students.

    The teacher is shown but is not part of the front. `lines` is the leaderboard.
    """
    finished = lines[(lines["n"] > 0) & lines["val_accuracy"].notna()]
    # equal networks are equally fast: differences between them come from other load on the machine
    fastest = finished.groupby(["parameters", "macs"], dropna=False)["latency_ms"].transform("min")
    finished = finished.assign(latency_ms=fastest)
    is_student = finished["stage"] != "teacher"
    costs = [cost for cost in COSTS if finished[cost][is_student].nunique() > 1]
    return [_pareto_figure(finished.dropna(subset=[cost]), cost, knobs) for cost in costs]


def _pareto_figure(lines: pandas.DataFrame, cost: str, knobs: list[str]) -> ParetoFigure:
    students = lines[lines["stage"] != "teacher"]
    front = pandas.Series(pareto_front(list(students[cost]), list(students["val_accuracy"])), students.index)
    on_front = front.reindex(lines.index, fill_value=False)
    always = on_front | lines["stage"].isin(["baseline", "teacher"])
    shown, note = thin(lines, -lines["val_accuracy"], MAX_POINTS, always)
    points = [
        _point(line, cost, knobs, is_on_front)
        for line, is_on_front in zip(table_rows(shown), on_front[shown.index], strict=True)
    ]
    caption = [
        f"One point per configuration; {front.sum()} on the Pareto front: no other student is both cheaper and better "
        "on validation.",
        note,
        COSTS[cost].note,
    ]
    return ParetoFigure(cost, COSTS[cost].name, points, " ".join(filter(None, caption)))


def pareto_front(costs: list[float], scores: list[float]) -> list[bool]:
    """Mark the points on the Pareto front.

    No other point costs at most as much and scores at least as high, and is better in one of the two.
    """
    pairs = list(zip(costs, scores, strict=True))
    best: dict[float, float] = {}  # cost -> highest score up to this cost
    highest = float("-inf")
    for cost, score in sorted(pairs, key=lambda pair: (pair[0], -pair[1])):
        if score > highest:
            best[cost] = highest = score
    return [best.get(cost) == score for cost, score in pairs]


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
