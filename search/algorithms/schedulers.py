"""Schedulers for early stopping.

Each is a function of (search section, epochs of the longest training) that returns a Ray scheduler. It sees students,
not the Ray trials that they share (per_student.py), and after a restart all their earlier epochs again. Ray's classes
are changed where a resumed search would differ from an uninterrupted one.

Decision: "ASHA and median stopping are subclasses that count students, not Ray trials" (docs/decisions.md).
"""

from __future__ import annotations

from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from search.algorithms.modes import METRIC_MODES
from spaces.search_section import Search, rung_epochs
from trainables.declare import declare


class SuccessiveHalving(AsyncHyperBandScheduler):
    """Asynchronous successive halving, replayable from rows.

    A rung uses only the results of exactly its epoch. Ray's class would record a resumed student, under a new name, in
    a rung that it passed before.
    """

    def __init__(self, search: Search, epochs: int):
        mode = METRIC_MODES[search.metric]
        super().__init__("epoch", search.metric, mode, epochs, min(search.grace_period, epochs), search.reduction)
        self.rungs = {*rung_epochs(search.grace_period, search.reduction, epochs), epochs}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if result["epoch"] not in self.rungs:
            return TrialScheduler.CONTINUE
        return super().on_trial_result(tune_controller, trial, result)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        self._trial_info.pop(trial.trial_id, None)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        self._trial_info.pop(trial.trial_id, None)


class MedianStopping(MedianStoppingRule):
    """Median stopping, replayable from rows.

    Ray's class pauses students while there are too few to compare, and fails for one that ended without an epoch.
    """

    def __init__(self, search: Search):
        mode = METRIC_MODES[search.metric]
        super().__init__("epoch", search.metric, mode, grace_period=search.grace_period, min_samples_required=3)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        self._stopped_trials.discard(trial)  # its driver may have died before it wrote the final row
        return super().on_trial_result(tune_controller, trial, result)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Do nothing: every epoch was reported before."""

    def _on_insufficient_samples(self, tune_controller: Any, trial: Any, time: float) -> str:
        return TrialScheduler.CONTINUE


def no_stopping(search: Search, epochs: int) -> TrialScheduler:
    """Train all students to the end."""
    return FIFOScheduler()


@declare(paper="Li et al. (2020)")
def asha_scheduler(search: Search, epochs: int) -> TrialScheduler:
    """Asynchronous successive halving.

    Stops the worse students at each rung: after grace_period, grace_period · reduction, grace_period · reduction², …
    epochs.
    """
    return SuccessiveHalving(search, epochs)


@declare(paper="Golovin et al. (2017)")
def median_scheduler(search: Search, epochs: int) -> TrialScheduler:
    """Stop students below the median of the others' running means."""
    return MedianStopping(search)
