"""Ranking of configurations by the rows of their students."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import mean
from typing import Any, NamedTuple

from results.fronts import objective_value, pareto_front, spread_evenly
from results.students import History
from search.algorithms.modes import METRIC_MODES
from search.students.spec import student_status
from spaces.label import label_text


class RankedConfiguration(NamedTuple):
    """A configuration with the mean metric of its finished students."""

    values: dict[str, Any]
    score: float
    students: list[History]


def best_configurations(
    histories: Iterable[History], stage: str, objectives: Sequence[str], top: int | None, knob: str | None = None
) -> list[RankedConfiguration]:
    """Return the best configurations of a stage by the first objective.

    With several objectives they are members of the front, spread evenly over it. `top` limits their number, or their
    number for each option of a `knob`.
    """
    ranked = rank_configurations(histories, stage, objectives[0])
    if knob is not None:
        return _best_of_each(ranked, knob, top)
    if len(objectives) == 1:
        return ranked[:top]
    points = [
        [mean(objective_value(past, name) for past in configuration.students) for name in objectives]
        for configuration in ranked
    ]
    marks = pareto_front(points, objectives)
    return spread_evenly([item for item, mark in zip(ranked, marks, strict=True) if mark], top)


def _best_of_each(ranked: Sequence[RankedConfiguration], knob: str, top: int | None) -> list[RankedConfiguration]:
    """Return the first configurations of each option of a knob, in order."""
    groups: dict[str, list[RankedConfiguration]] = defaultdict(list)
    for configuration in ranked:
        groups[label_text(configuration.values.get(knob))].append(configuration)
    best = {id(configuration) for group in groups.values() for configuration in group[:top]}
    return [configuration for configuration in ranked if id(configuration) in best]


def rank_configurations(histories: Iterable[History], stage: str, metric: str) -> list[RankedConfiguration]:
    """Return the configurations of a stage, the best mean over seeds first.

    Only finished students count, each by its own last epoch, and only configurations with as many as any has. Equal
    means are ranked by the mean over the later half of the epochs.
    """
    sign = -1 if METRIC_MODES[metric] == "max" else 1
    ranked = []
    for label, group in _complete_groups(histories, stage).items():
        last = mean(past.epochs[-1][metric] for past in group)
        late = mean(row[metric] for past in group for row in past.epochs[len(past.epochs) // 2 :])
        ranked.append((sign * last, sign * late, label, RankedConfiguration(group[0].start["values"], last, group)))
    return [item[-1] for item in sorted(ranked, key=lambda item: item[:-1])]


def finished_configurations(histories: Iterable[History], stage: str) -> list[dict[str, Any]]:
    """Return the values of a stage with all their students finished.

    Configurations with fewer students than another are left out.
    """
    return [group[0].start["values"] for group in _complete_groups(histories, stage).values()]


def _complete_groups(histories: Iterable[History], stage: str) -> dict[str, list[History]]:
    """Return the finished students by configuration.

    Configurations with fewer students than another are left out.
    """
    students: dict[str, list[History]] = defaultdict(list)
    for past in histories:
        if past.start["stage"] == stage and student_status(past) == "finished":
            students[json.dumps(past.start["values"], sort_keys=True)].append(past)
    seeds = max(map(len, students.values()), default=0)
    return {label: group for label, group in students.items() if len(group) == seeds}
