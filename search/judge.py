"""Between Ray and a scheduler of its: whatever trains them, the scheduler sees students, each by its own name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from results.students import History


class _Name(NamedTuple):
    """As much of a Ray trial as a scheduler asks for; unlike Ray's it is the same when a search is resumed."""

    trial_id: str


class Judge(FIFOScheduler):
    """Asks a scheduler about every student; Ray stops a trial when no student of its is left to train.

    Of a pack Ray cannot stop a part: whoever is in `stopped` is ended by Watch, and its worker reads of it in its rows.
    """

    def __init__(self, scheduler: Any):
        super().__init__()
        self.scheduler, self.stopped = scheduler, set[str]()

    def replay(self, histories: Iterable[History]) -> None:
        """Show the scheduler the epochs of earlier runs in the order of time, so that its rungs are what they were."""
        told: list[tuple[float, _Name, dict[str, Any]]] = []
        for past in histories:
            name = _Name(past.start["trial"])
            self.scheduler.on_trial_add(None, name)
            told += [(row.get("time", 0.0), name, row) for row in past.epochs]
        for _, name, row in sorted(told, key=lambda item: item[0]):
            self.scheduler.on_trial_result(None, name, row)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        for name in _names(trial):
            self.scheduler.on_trial_add(tune_controller, name)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        for row in result.get("rows", ()):
            verdict = self.scheduler.on_trial_result(tune_controller, _Name(row["trial"]), row)
            if verdict == TrialScheduler.STOP:
                self.stopped.add(row["trial"])
        over = all(name.trial_id in self.stopped for name in _names(trial))
        return TrialScheduler.STOP if over else TrialScheduler.CONTINUE

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        for name in _names(trial):
            self.scheduler.on_trial_complete(tune_controller, name, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        for name in _names(trial):
            self.scheduler.on_trial_remove(tune_controller, name)


def _names(trial: Any) -> list[_Name]:
    return [_Name(student.key) for student in trial.config["pack"].students]
