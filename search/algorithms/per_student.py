"""Between Ray and a scheduler: however students are trained, the scheduler sees each of them, by its own name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from results.students import History


class _Name(NamedTuple):
    """As much of a Ray trial as a scheduler asks for; unlike Ray's it is the same when a search is resumed."""

    trial_id: str


class PerStudentScheduler(FIFOScheduler):
    """Asks a scheduler about every student, and has Ray stop a trial when all of its students are stopped.

    Of a pack Ray cannot stop a part: whoever is in `stopped` is ended by Watch, and its worker reads of it in its rows.
    """

    _supports_buffered_results = False  # a worker that has reported goes on when there is a verdict, and no sooner

    def __init__(self, scheduler: Any):
        super().__init__()
        self.scheduler, self.stopped = scheduler, set[str]()
        self.after: dict[str, int] = {}  # the last epoch of each student that the scheduler was shown

    def replay(self, histories: Iterable[History]) -> None:
        """Show the scheduler the epochs of earlier runs in the order of time, so that its rungs are what they were."""
        told: list[tuple[float, dict[str, Any]]] = []
        for past in histories:
            self.scheduler.on_trial_add(None, _Name(past.start["trial"]))
            told += [(row.get("time", 0.0), {"trial": past.start["trial"], **row}) for row in past.epochs]
        for _, row in sorted(told, key=lambda item: item[0]):
            self._verdict(None, row)

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        for name in _names(trial):
            self.scheduler.on_trial_add(tune_controller, name)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        for row in result["rows"]:
            if self._verdict(tune_controller, row) == TrialScheduler.STOP:
                self.stopped.add(row["trial"])
        over = all(name.trial_id in self.stopped for name in _names(trial))
        return TrialScheduler.STOP if over else TrialScheduler.CONTINUE

    def _verdict(self, tune_controller: Any, row: dict[str, Any]) -> str:
        """What the scheduler says of an epoch; one that is told again, after a worker died, is not shown again."""
        name = row["trial"]
        if row["epoch"] <= self.after.get(name, 0):
            return TrialScheduler.CONTINUE
        self.after[name] = row["epoch"]
        return self.scheduler.on_trial_result(tune_controller, _Name(name), row)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        for name in _names(trial):
            self.scheduler.on_trial_complete(tune_controller, name, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        for name in _names(trial):
            self.scheduler.on_trial_remove(tune_controller, name)


def _names(trial: Any) -> list[_Name]:
    return [_Name(student.key) for student in trial.config["pack"].students]
