"""Performance goals on two cores, what was measured, and reasons for missed goals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.measurements import Results
from benchmarks.training_goals import TRAINING_GOALS
from benchmarks.wait_goals import WAIT_GOALS

GOALS = (*TRAINING_GOALS, *WAIT_GOALS)


def goal_rows(results: Results) -> Iterator[Sequence[object]]:
    """Yield the rows of the table, its heads first."""
    yield "goal", "target", "measured", "peer", "reached", "reason"
    for goal in GOALS:
        if any(name not in results for name in goal.required):
            yield goal.name, goal.target, "not measured", "–", "–", "–"
            continue
        value, reached = goal.measure(results)
        reason = "–" if reached else goal.reason(results)
        yield goal.name, goal.target, value, goal.peer(results), "yes" if reached else "no", reason
