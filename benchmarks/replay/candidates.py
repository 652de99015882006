"""Algorithms and schedulers to measure beside those of the product.

docs/explanation/search_algorithms.md says which were measured. The command line of the replay takes their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from optuna.samplers import BaseSampler, GPSampler, QMCSampler
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.algorithms import SAMPLERS, SCHEDULERS
from search.algorithms.schedulers import SuccessiveHalving
from spaces.sections import Search


def gaussian_process(search: Search, seed: int) -> BaseSampler:
    """Gaussian process; it learns from finished students only."""
    return GPSampler(seed=seed)


def quasi_random(search: Search, seed: int) -> BaseSampler:
    """Scrambled Sobol sequence."""
    return QMCSampler(seed=seed, scramble=True)


class Hyperband(FIFOScheduler):
    """Successive halving in brackets of grace periods 1, reduction, reduction², … to which students go in turn."""

    def __init__(self, search: Search, epochs: int):
        super().__init__()
        graces = [search.reduction**power for power in range(epochs) if search.reduction**power < epochs]
        self.brackets = [
            SuccessiveHalving(search.model_copy(update={"grace_period": grace}), epochs) for grace in graces
        ]
        self.bracket_of: dict[str, SuccessiveHalving] = {}

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        bracket = self.brackets[len(self.bracket_of) % len(self.brackets)]
        self.bracket_of[trial.trial_id] = bracket
        bracket.on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        return self.bracket_of[trial.trial_id].on_trial_result(tune_controller, trial, result)


CANDIDATE_SAMPLERS: dict[str, Callable[[Search, int], BaseSampler]] = {"gp": gaussian_process, "qmc": quasi_random}
CANDIDATE_SCHEDULERS: dict[str, Callable[[Search, int], TrialScheduler]] = {"hyperband": Hyperband}


@contextmanager
def registered_candidates() -> Iterator[None]:
    """Add the candidates to the registries of this process for a while."""
    with patch.dict(SAMPLERS, CANDIDATE_SAMPLERS), patch.dict(SCHEDULERS, CANDIDATE_SCHEDULERS):
        yield
