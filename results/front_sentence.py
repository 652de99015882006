"""Front of an experiment in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import pandas

from results import wording
from results.experiment import Experiment
from results.number_columns import format_number, number_head


def front_sentence(experiment: Experiment) -> str:
    """Return size and ends of the front, empty for one objective.

    The front is chosen by validation; its ends are shown with their test accuracy.
    """
    objectives, lines = experiment.objectives, experiment.leaderboard()
    if len(objectives) == 1 or not lines["front"].any():
        return ""
    front, ranked = lines[lines["front"]], int(lines["rank"].notna().sum())
    ends = [_describe_member(front.iloc[place], objectives[1:]) for place in (-1, 0)]
    span = f"from {ends[0]} to {ends[1]}" if len(front) > 1 else ends[0]
    return f"Front of {', '.join(objectives)}: {len(front)} of {ranked} configurations, {span}."


def _describe_member(line: pandas.Series, objectives: Sequence[str]) -> str:
    numbers = [f"{number_head(name)} {format_number(name, line[name])}" for name in objectives]
    return f"test {wording.format_percent(line['test_accuracy'])} % ({', '.join(numbers)})"
