"""Accuracy against what a student costs to keep and to run, and which are not beaten on both."""

from __future__ import annotations

from typing import NamedTuple

import pandas

from results import wording
from results.report.summary import configuration


class Cost(NamedTuple):
    """What a student costs: the title of its axis, its unit in a sentence, and what it has to be read with."""

    name: str
    unit: str
    note: str = ""


COSTS = {
    "parameters": Cost("parameters", "parameters"),
    "macs": Cost("multiply-accumulates per image", "multiply-accumulates per image"),
    "latency_ms": Cost(
        "latency of one image (ms)", "ms", "Timed in PyTorch, on one thread of the machine that trained."
    ),
}


class Point(NamedTuple):
    """One configuration: its cost, its mean validation accuracy in percent, and what is read on pointing."""

    group: str
    cost: float
    percent: float
    tip: str
    front: bool


class Sizes(NamedTuple):
    """Accuracy against one cost; the points of the Pareto front are those no student beats on both."""

    key: str
    name: str
    points: list[Point]
    caption: str


def sizes(lines: pandas.DataFrame, names: list[str]) -> list[Sizes]:
    """One figure per cost; the teacher is shown and not part of the front."""
    done = lines[(lines["n"] > 0) & lines["val_accuracy"].notna()]
    # equal networks are equally quick: what differs between them is what else the machine did
    quickest = done.groupby(["parameters", "macs"], dropna=False)["latency_ms"].transform("min")
    done = done.assign(latency_ms=quickest)
    return [_sizes(done.dropna(subset=[cost]), cost, names) for cost in COSTS if done[cost].notna().any()]


def _sizes(lines: pandas.DataFrame, cost: str, names: list[str]) -> Sizes:
    students = lines[lines["stage"] != "teacher"]
    best = front(list(students[cost]), list(students["val_accuracy"]))
    on = dict(zip(students.index, best, strict=True))
    points = [_point(line, cost, names, on.get(index, False)) for index, line in lines.iterrows()]
    caption = f"{_caption(students[cost].nunique(), sum(best))} {COSTS[cost].note}".rstrip()
    return Sizes(cost, COSTS[cost].name, points, caption)


def front(costs: list[float], scores: list[float]) -> list[bool]:
    """Marks the points than which none is at once no dearer and no worse, and better in one."""
    pairs = list(zip(costs, scores, strict=True))
    best: dict[float, float] = {}  # the highest score up to and with each cost
    reached = float("-inf")
    for cost, score in sorted(pairs, key=lambda pair: (pair[0], -pair[1])):
        if score > reached:
            best[cost] = reached = score
    return [best.get(cost) == score for cost, score in pairs]


def _point(line: pandas.Series, cost: str, names: list[str], on: bool) -> Point:
    stage = line["stage"]
    group = "chosen" if not pandas.isna(line["rank"]) and line["rank"] == 1 else stage
    tip = [
        ", ".join(filter(None, [stage, configuration(line, names)])),
        f"{_cost(line[cost])} {COSTS[cost].unit}",
        f"validation {wording.percent(line['val_accuracy'])} %",
        f"test {wording.percent(line['test_accuracy'], line['test_std'])} % (n = {line['n']})",
    ]
    return Point(group, float(line[cost]), round(100 * float(line["val_accuracy"]), 4), "\n".join(tip), bool(on))


def _cost(cost: float) -> str:
    return f"{cost:,.0f}" if cost >= 100 else f"{cost:.3g}"


def _caption(sizes: int, on: int) -> str:
    if sizes == 1:
        return "All students have the same size: only the teacher stands elsewhere."
    where = "where no student is both cheaper and better on validation"
    return f"One point per configuration; {on} on the Pareto front, {where}."
