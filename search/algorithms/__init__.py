"""Search algorithms and schedulers by name: to add one, write a function and a line in the dict below it.

A scheduler is told of students, not of the Ray trials that they share (search/algorithms/per_student.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from spaces.sections import METRICS, Search, rungs

optuna.logging.set_verbosity(optuna.logging.WARNING)

MODES = {name: "min" if name.endswith("loss") else "max" for name in METRICS}


def tpe(search: Search, seed: int) -> BaseSampler:
    """Tree-structured Parzen estimator (Bergstra et al. 2011); knobs that exist together are modelled together."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


def random(search: Search, seed: int) -> BaseSampler:
    """Independent draws from every domain."""
    return RandomSampler(seed=seed)


# A grid is not here: it asks nobody what to try next.
SAMPLERS: dict[str, Callable[[Search, int], BaseSampler]] = {
    "random": random,
    "tpe": tpe,
}
FORGETFUL = {"random"}  # samplers that learn nothing from how students end


class Halving(AsyncHyperBandScheduler):
    """Asynchronous successive halving (Li et al. 2020) whose rungs can be fed from rows.

    Ray's own records a resumed student, under a new name, in a rung it passed long ago; here a rung only sees the
    results of exactly its epoch.
    """

    def __init__(self, search: Search, epochs: int):
        mode = MODES[search.metric]
        super().__init__("epoch", search.metric, mode, epochs, min(search.grace_period, epochs), search.reduction)
        self.rungs = {*rungs(search.grace_period, search.reduction, epochs), epochs}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if result["epoch"] not in self.rungs:
            return TrialScheduler.CONTINUE
        return super().on_trial_result(tune_controller, trial, result)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        self._trial_info.pop(trial.trial_id, None)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        self._trial_info.pop(trial.trial_id, None)


class Median(MedianStoppingRule):
    """Median stopping whose running means can be fed from rows.

    Ray's own pauses students while there are too few to compare with, and trips over one that ended without an epoch.
    """

    def __init__(self, search: Search):
        mode = MODES[search.metric]
        super().__init__("epoch", search.metric, mode, grace_period=search.grace_period, min_samples_required=3)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        self._stopped_trials.discard(trial)  # if its end was lost with its driver it trains on, and is judged anew
        return super().on_trial_result(tune_controller, trial, result)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Nothing: every epoch has been told already."""

    def _on_insufficient_samples(self, tune_controller: Any, trial: Any, time: float) -> str:
        return TrialScheduler.CONTINUE


def none(search: Search, epochs: int) -> TrialScheduler:
    """Everybody trains to the end."""
    return FIFOScheduler()


def asha(search: Search, epochs: int) -> TrialScheduler:
    """Stop the worse students at each rung: epochs grace, grace · reduction, grace · reduction², …"""
    return Halving(search, epochs)


def median(search: Search, epochs: int) -> TrialScheduler:
    """Stop students below the median of the others' running means (Golovin et al. 2017)."""
    return Median(search)


SCHEDULERS: dict[str, Callable[[Search, int], TrialScheduler]] = {
    "none": none,
    "asha": asha,
    "median": median,
}
