"""Algorithms and schedulers to measure beside those of the product.

docs/explanation/search_algorithms.md says which were measured. The command line of the replay takes their names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.algorithms import SAMPLERS, SCHEDULERS
from search.algorithms.samplers import Distributions
from search.algorithms.schedulers import SuccessiveHalving
from spaces.search_section import Search


class _StoppedStudy:
    """Study in which a stopped trial is complete with its last value."""

    def __init__(self, study: Study):
        self._study = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(self, deepcopy: bool, states: tuple[TrialState, ...], use_cache: bool) -> list[FrozenTrial]:
        trials = self._study._get_trials(deepcopy, (*states, TrialState.PRUNED), use_cache)
        return [_completed(trial) for trial in trials if trial.state != TrialState.PRUNED or trial.intermediate_values]


def _completed(trial: FrozenTrial) -> FrozenTrial:
    if trial.state != TrialState.PRUNED:
        return trial
    last = trial.intermediate_values[max(trial.intermediate_values)]
    return create_trial(value=last, params=trial.params, distributions=trial.distributions)


class GaussianProcess(GPSampler):
    """Gaussian process that learns from stopped students too."""

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return super().sample_relative(_StoppedStudy(study), trial, search_space)  # type: ignore[arg-type]


def gaussian_process(search: Search, seed: int, distributions: Distributions) -> BaseSampler:
    """Gaussian process after ten random draws."""
    return GaussianProcess(seed=seed)


def randomly_started_tpe(search: Search, seed: int, distributions: Distributions) -> BaseSampler:
    """TPE after ten random draws, Optuna's own way."""
    return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


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


CANDIDATE_SAMPLERS: dict[str, Callable[[Search, int, Distributions], BaseSampler]] = {
    "gp": gaussian_process,
    "tpe-random-start": randomly_started_tpe,
}
CANDIDATE_SCHEDULERS: dict[str, Callable[[Search, int], TrialScheduler]] = {"hyperband": Hyperband}


@contextmanager
def registered_candidates() -> Iterator[None]:
    """Add the candidates to the registries of this process for a while."""
    with patch.dict(SAMPLERS, CANDIDATE_SAMPLERS), patch.dict(SCHEDULERS, CANDIDATE_SCHEDULERS):
        yield
