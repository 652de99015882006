"""Pareto fronts: configurations that no other one beats in all objectives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy
import pandas

from results.students import History
from spaces.objectives import COSTS, objective_direction


def objective_value(student: History, objective: str) -> float:
    """Return an objective of a finished student."""
    if objective in COSTS:
        return (student.start | student.end)[objective]
    return student.epochs[-1][objective]


def pareto_front(points: Sequence[Sequence[float]], objectives: Sequence[str]) -> list[bool]:
    """Mark the points of the front, [points, objectives].

    No other point is at least as good in all objectives and better in one. A point with NaN is not part of it.
    """
    signs = [-1.0 if objective_direction(name) == "max" else 1.0 for name in objectives]
    costs = numpy.array(points, float).reshape(-1, len(objectives)) * signs
    front, places = numpy.empty_like(costs), list[int]()
    for place in numpy.lexsort(costs.T[::-1]).tolist():  # whatever beats a point comes before it
        cost, members = costs[place], front[: len(places)]
        if not numpy.isnan(cost).any() and not ((members <= cost).all(1) & (members < cost).any(1)).any():
            front[len(places)] = cost
            places.append(place)
    return numpy.isin(numpy.arange(len(costs)), places).tolist()


def spread_evenly(members: Sequence, count: int | None) -> list:
    """Return at most `count` members of a sorted front, both ends included."""
    if count is None or count >= len(members):
        return [*members]
    step = (len(members) - 1) / max(1, count - 1)
    return [members[round(place * step)] for place in range(count)]


def with_front(lines: pandas.DataFrame, objectives: Sequence[str]) -> pandas.DataFrame:
    """Return a leaderboard with a column `front`, the front first.

    Only ranked lines can be members.
    """
    ranked = with_fastest_latency(lines[lines["rank"].notna()])
    points = ranked[[*objectives]].to_numpy(float, na_value=numpy.nan).tolist()
    front = pandas.Series(pareto_front(points, objectives), ranked.index, dtype=bool)
    lines = lines.copy()
    lines.insert(1, "front", front.reindex(lines.index, fill_value=False))
    return pandas.concat([lines[lines["front"]], lines[~lines["front"]]], ignore_index=True)


def with_fastest_latency(lines: pandas.DataFrame) -> pandas.DataFrame:
    """Give equal networks the latency of the fastest.

    Differences between them come from other load on the machine.
    """
    fastest = lines.groupby(["parameters", "macs"], dropna=False)["latency_ms"].transform("min")
    return lines.assign(latency_ms=fastest)
