"""Searches on a table: the product's searcher, scheduler and confirm code; curves of the table in place of training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import numpy as np
from ray.tune.schedulers import TrialScheduler

from benchmarks.replay.table import Table
from results.students import History
from search.algorithms import SCHEDULERS
from search.algorithms.per_student import PerStudentScheduler
from search.algorithms.searcher import StudentSearcher
from search.students.spec import Pack, StudentSpec
from spaces.domain import Domain
from spaces.search_section import Search
from spaces.template import SuggestLabel, Values

METRIC = "val_accuracy"


class SeedSplit(NamedTuple):
    """Seeds of one repetition: one to explore, the next to confirm, the others to score."""

    explore: int
    confirm: list[int]
    score: list[int]


class Trained(NamedTuple):
    """A student after its last epoch, and the epochs of all students until then."""

    history: History
    configuration: int
    spent: int


@dataclass(frozen=True)
class TableSpace:
    """A table with the settings of a search."""

    table: Table
    search: Search

    @property
    def domains(self) -> list[tuple[str, Domain]]:
        return self.table.domains

    def sample_values(self, suggest: SuggestLabel) -> Values:
        return self.table.sample_values(suggest)


class _TableRecipe(NamedTuple):
    """Stand-in for a recipe, with the attributes read by a searcher."""

    name: str

    def key(self) -> str:
        return self.name


def split_seeds(table: Table, rng: np.random.Generator) -> SeedSplit:
    """Divide the seeds: the first half chooses, the other half scores."""
    order = [int(seed) for seed in rng.permutation(table.val.shape[1])]
    choosing = max(1, len(order) // 2)
    return SeedSplit(order[0], order[1:choosing], order[choosing:])


def explore(table: Table, search: Search, seed: int, budget: int) -> list[Trained]:
    """Run a search with one worker until `budget` epochs are spent.

    A proposal trains the nearest configuration that was not trained before.
    """
    rows: dict[str, History] = {}
    nearest = NearestConfiguration(table)
    epochs = table.val.shape[2]

    def build(values: Values) -> StudentSpec | None:
        index = nearest.take(values)
        if index is None:
            return None
        recipe = cast(Any, _TableRecipe(str(index)))
        return StudentSpec("explore", recipe, table.configurations[index], suggested=values)

    searcher = StudentSearcher(
        TableSpace(table, search), [], rows.get, build, float("inf"), lambda students: [Pack((s,)) for s in students]
    )
    scheduler = PerStudentScheduler(SCHEDULERS[search.scheduler](search, epochs))
    ended: list[Trained] = []
    spent = 0
    while spent < budget and nearest.free.any():
        config = searcher.suggest(str(len(ended)))
        if not isinstance(config, dict):
            break
        student = config["pack"].students[0]
        past = rows[student.key] = _new_history(student, seed, epochs)
        spent = _train(table.val[int(student.key), seed], past, SimpleNamespace(config=config), scheduler, spent)
        searcher.on_trial_complete(str(len(ended)))
        ended.append(Trained(past, int(student.key), spent))
    return ended


def _new_history(student: StudentSpec, seed: int, epochs: int) -> History:
    start = {"trial": student.key, "stage": student.stage, "seed": seed, "values": student.values}
    return History({**start, "suggested": student.suggested, "planned_epochs": epochs, "time": 0.0}, [], {})


def _train(curve: np.ndarray, past: History, trial: Any, scheduler: PerStudentScheduler, spent: int) -> int:
    """Append the rows of one student; return the epochs spent by all."""
    key = past.start["trial"]
    scheduler.on_trial_add(None, trial)
    status = "finished"
    for epoch, accuracy in enumerate(curve, 1):
        spent += 1
        if not np.isfinite(accuracy):
            status = "diverged"
            break
        row = {"trial": key, "epoch": epoch, METRIC: float(accuracy), "time": float(spent)}
        past.epochs.append(row)
        decision = scheduler.on_trial_result(None, trial, {"rows": [row]})
        if decision == TrialScheduler.STOP and epoch < len(curve):
            status = "stopped"
            break
    past.end.update({"kind": "end", "status": status})
    scheduler.on_trial_complete(None, trial, {"rows": past.epochs[-1:]})
    return spent


class NearestConfiguration:
    """Nearest unused configuration of a table to proposed values."""

    def __init__(self, table: Table):
        self.table = table
        self.free = np.ones(len(table.configurations), bool)

    def take(self, values: Values) -> int | None:
        """Return the index of the nearest one and mark it as used."""
        if not self.free.any():
            return None
        index = int(np.where(self.free, self.table.distances(values), np.inf).argmin())
        self.free[index] = False
        return index


def reference_score(table: Table, choosing: Sequence[int], scoring: Sequence[int]) -> float:
    """Return the test accuracy of the choice that sees all configurations on all choosing seeds."""
    best = int(np.nan_to_num(table.val[:, choosing, -1]).mean(1).argmax())
    return float(np.nan_to_num(table.test[best][scoring, -1]).mean())
