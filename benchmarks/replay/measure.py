"""Honest regret of searches on a table.

The seeds of a table are divided in each repetition: some choose, the others only score. Regret is the test accuracy of
the choice on the scoring seeds, below that of the choice that sees every configuration on all choosing seeds. Optimism
is the reported accuracy of the choice minus that on the scoring seeds. All epochs count.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.replay.guesses import with_guess
from benchmarks.replay.simulate import METRIC, SeedSplit, Trained, explore, reference_score, split_seeds
from benchmarks.replay.table import Table
from results.students import History
from search.algorithms.ranking import rank_configurations
from spaces.search_section import Search
from spaces.template import Values

BUDGETS = (4, 6, 8, 10, 15, 20, 30, 40)  # in trainings of full length
# Confirm plans: rounds of (best configurations to train again, fresh seeds). The default of the product is "1 × 1".
CONFIRM_PLANS: dict[str, tuple[tuple[int, int], ...]] = {
    "none": (),
    "1 × 1": ((1, 1),),
    "2 × 1": ((2, 1),),
    "2 × 2": ((2, 2),),
    "3, then 2 × 1": ((3, 1), (2, 1)),
}


class Variant(NamedTuple):
    """A way to search."""

    algorithm: str
    scheduler: str
    confirm: str  # name in CONFIRM_PLANS
    guess: str = "none"  # name in GUESSES


class Outcome(NamedTuple):
    """Regret and optimism of one variant, in points, [budgets, repetitions].

    NaN without a choice.
    """

    variant: Variant
    regrets: np.ndarray
    val_optimism: np.ndarray
    test_optimism: np.ndarray


class _Choice(NamedTuple):
    configuration: int
    seeds: list[int]  # of the reported numbers


def measure_variants(
    table: Table,
    searches: Sequence[Search],
    confirms: Sequence[str],
    repetitions: int,
    budgets: Sequence[int] = BUDGETS,
    first: int = 0,
    guesses: Sequence[str] = ("none",),
) -> Iterator[Outcome]:
    """Yield the outcome of each search with each guess and confirm plan.

    Repetitions are counted from `first`. Each number stands for a division of the seeds, an inaccuracy of the guess and
    a seed of the search.
    """
    for search, guess in itertools.product(searches, guesses):
        points = np.full((len(confirms), 3, len(budgets), repetitions), np.nan)
        for repetition in range(repetitions):
            split = split_seeds(table, np.random.default_rng(first + repetition))
            seeded = search.model_copy(update={"seed": first + repetition})
            guessed = with_guess(table, guess, np.random.default_rng([first + repetition, 1]))
            trained = explore(guessed, seeded, split.explore, max(budgets) * table.val.shape[2])
            reference = reference_score(table, [split.explore, *split.confirm], split.score)
            for i, name in enumerate(confirms):
                for j, budget in enumerate(budgets):
                    choice = _choose(table, trained, split, CONFIRM_PLANS[name], budget * table.val.shape[2])
                    if choice is not None:
                        points[i, :, j, repetition] = _points(table, choice, split.score, reference)
        for name, outcome in zip(confirms, 100 * points, strict=True):
            yield Outcome(Variant(search.algorithm, search.scheduler, name, guess), *outcome)


def _points(table: Table, choice: _Choice, scoring: list[int], reference: float) -> tuple[float, float, float]:
    """Return the regret of a choice, and the optimism of its validation and test accuracy."""
    val, test = (np.nan_to_num(part[choice.configuration, :, -1]) for part in (table.val, table.test))
    honest = test[scoring].mean()
    return reference - honest, val[choice.seeds].mean() - val[scoring].mean(), test[choice.seeds].mean() - honest


def _choose(
    table: Table, trained: Sequence[Trained], split: SeedSplit, rounds: Sequence[tuple[int, int]], epochs: int
) -> _Choice | None:
    """Return the choice of the product after so many epochs of all students."""
    fresh = split.confirm[: sum(seeds for _, seeds in rounds)]
    if len(fresh) < sum(seeds for _, seeds in rounds):
        return None
    positions = {_label(student.history): student.configuration for student in trained}
    explored = epochs - sum(top * seeds for top, seeds in rounds) * table.val.shape[2]
    rows = [student.history for student in trained if student.spent <= explored]
    ranked, used = rank_configurations(rows, "explore", METRIC), 0
    for top, seeds in rounds:
        for winner in ranked[:top]:
            position = positions[json.dumps(winner.values)]
            rows += [_confirmed(table, winner.values, position, seed) for seed in fresh[used : used + seeds]]
        ranked, used = rank_configurations(rows, "confirm", METRIC), used + seeds
    if not ranked:
        return None
    return _Choice(positions[json.dumps(ranked[0].values)], fresh or [split.explore])


def _label(past: History) -> str:
    return json.dumps(past.start["values"])


def _confirmed(table: Table, values: Values, position: int, seed: int) -> History:
    """Return the rows of one configuration trained with a confirm seed."""
    start = {"trial": f"{position}/{seed}", "stage": "confirm", "seed": seed, "values": values}
    curve = table.val[position, seed]
    epochs = [{"epoch": epoch, METRIC: float(accuracy)} for epoch, accuracy in enumerate(curve, 1)]
    return History(start, epochs, {"status": "finished" if np.isfinite(curve).all() else "diverged"})


def mean_and_error(points: np.ndarray) -> tuple[float, float]:
    """Return mean and standard error, without NaN."""
    finite = points[np.isfinite(points)]
    if len(finite) < 2:
        return float("nan"), float("nan")
    return float(finite.mean()), float(finite.std(ddof=1) / len(finite) ** 0.5)
