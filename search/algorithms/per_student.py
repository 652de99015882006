"""Scheduler adapter: from Ray's trials to single students.

Ray can only stop whole trials. PerStudentScheduler reports every student of a trial to the wrapped scheduler under the
student's own key and collects the stopped keys in `stopped`; the rest of stopping one student of a pack is described in
search/trials/callback.py. Keys, unlike Ray's trial ids, are the same in a resumed search.

Decision: "In an adaptive search a pack is a batch of proposals" (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from results.students import History


class _StudentTrial(NamedTuple):
    """Stand-in for a Ray trial, with the attributes read by schedulers."""

    trial_id: str  # key of the student


class PerStudentScheduler(FIFOScheduler):
    """Show each student to the wrapped scheduler.

    A trial is stopped when all its students are stopped. `stopped` holds the keys of stopped students. Ray calls this
    scheduler before the callbacks, which rely on it.
    """

    _supports_buffered_results = False  # a worker waits after each report for the decision

    def __init__(self, scheduler: Any):
        super().__init__()
        self.scheduler, self.stopped = scheduler, set[str]()
        self.last_epochs: dict[str, int] = {}  # last epoch of each student that the scheduler has seen

    def replay(self, histories: Iterable[History]) -> list[str]:
        """Show the scheduler all earlier epochs, in order of time.

        Returns the keys of unfinished students that it stops at their last epoch: the driver died before it wrote
        their final rows.
        """
        rows: list[tuple[float, dict[str, Any]]] = []
        unfinished: dict[str, int] = {}  # last epoch by key
        for past in histories:
            key = past.start["trial"]
            self.scheduler.on_trial_add(None, _StudentTrial(key))
            rows += [(row.get("time", 0.0), {"trial": key, **row}) for row in past.epochs]
            if past.epochs and not past.end and past.epochs[-1]["epoch"] != past.start.get("planned_epochs"):
                unfinished[key] = past.epochs[-1]["epoch"]
        stopped = []
        for _, row in sorted(rows, key=lambda item: item[0]):
            if self._decide(None, row) == TrialScheduler.STOP and unfinished.get(row["trial"]) == row["epoch"]:
                stopped.append(row["trial"])
        return stopped

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        for student in _student_trials(trial):
            self.scheduler.on_trial_add(tune_controller, student)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        for row in result["rows"]:
            if self._decide(tune_controller, row) == TrialScheduler.STOP:
                self.stopped.add(row["trial"])
        all_stopped = all(student.trial_id in self.stopped for student in _student_trials(trial))
        return TrialScheduler.STOP if all_stopped else TrialScheduler.CONTINUE

    def _decide(self, tune_controller: Any, row: dict[str, Any]) -> str:
        """Return the scheduler's decision on an epoch.

        An epoch reported again after a retry is not shown again.
        """
        key = row["trial"]
        if row["epoch"] <= self.last_epochs.get(key, 0):
            return TrialScheduler.CONTINUE
        self.last_epochs[key] = row["epoch"]
        return self.scheduler.on_trial_result(tune_controller, _StudentTrial(key), row)

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        for student in _student_trials(trial):
            self.scheduler.on_trial_complete(tune_controller, student, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        for student in _student_trials(trial):
            self.scheduler.on_trial_remove(tune_controller, student)


def _student_trials(trial: Any) -> list[_StudentTrial]:
    return [_StudentTrial(student.key) for student in trial.config["pack"].students]
