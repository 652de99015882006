"""Callback of the driver: show students and end stopped ones.

Ray can only stop whole trials. To stop one student of a pack, the scheduler adds it to `stopped`
(search/algorithms/per_student.py), this callback writes its final row, and its worker reads that row before the next
epoch (search/trials/trainable.py). This relies on Ray asking the scheduler before it runs callbacks.

Decision: "The driver writes the final row of a stopped student" (docs/decisions.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Set
from pathlib import Path
from typing import Any

from ray.tune import Callback

from results import paths, records
from results.students import History, history
from results.trackers import TrackerGroup
from search.students.spec import Pack, StudentSpec, first_row, student_status
from search.trials.live_lines import student_label
from search.trials.progress_display import ProgressDisplay
from spaces.space import Space

MAX_RETRIES = 3  # of a student, or of a teacher, after its worker process died


class StudentCallback(Callback):
    """Follow the students of one stage.

    The scheduler adds the keys of stopped students to `stopped`. `refuse_node(id, reason)` is called for a node with an
    unfit worker.
    """

    def __init__(
        self,
        space: Space,
        folder: Path,
        display: ProgressDisplay,
        trackers: TrackerGroup,
        stopped: Set[str],
        refuse_node: Callable[[str, str], None],
    ):
        self.space, self.folder, self.display, self.trackers = space, folder, display, trackers
        self.stopped, self.refuse_node = stopped, refuse_node
        self.unfit: set[str] = set()  # ids of trials whose worker was unfit
        self.ended: set[str] = set()  # keys of students with their end shown

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles callbacks to restore a run; a search is restored from its rows

    def on_trial_result(self, iteration: int, trials: list, trial: Any, result: dict, **info: Any) -> None:
        """Show the reported epochs and end the stopped students."""
        pack: Pack = trial.config["pack"]
        rows = {row["trial"]: row for row in result["rows"]}
        for student in pack.students:
            if student.key in rows:
                self._show_epoch(student, rows[student.key])
            if student.key in self.stopped:
                self._end_student(student, "stopped")
        if message := result.get("message"):
            self._print(f"{_pack_label(pack)}: {message}")
        if unfit := result.get("unfit"):
            self.unfit.add(trial.trial_id)
            self.refuse_node(unfit["node"], unfit["reason"])

    def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """End the stopped students of a trial, and show the ends of others.

        A trial may end without some of its students, as after an interruption. They get no final row.
        """
        for student in trial.config["pack"].students:
            past = history(self.folder, student.key)
            if past and (past.end or student.key in self.stopped):
                self._end_student(student, "stopped")

    def on_trial_recover(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """Print the retry of a trial after its worker died.

        An unfit worker does not count as a failure of its trial.
        """
        if trial.trial_id in self.unfit:
            self.unfit.remove(trial.trial_id)
            trial.run_metadata.num_failures -= 1
            return
        if not trial.num_failures:
            self._print(f"{_pack_label(trial.config['pack'])}: its worker process had died before; it gets another one")
            return
        line = f"{_pack_label(trial.config['pack'])}: its worker process died; it goes on from its last epoch"
        self._print(f"{line} (retry {trial.num_failures} of {MAX_RETRIES})")

    def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """End the students of a trial without retries left.

        With retries left, or in a pack of several students, no final row is written. The engine then retries each
        unfinished student in a trial of its own.
        """
        pack: Pack = trial.config["pack"]
        if trial.num_failures <= MAX_RETRIES:
            return
        reason = f"its worker process died {MAX_RETRIES + 1} times"
        if len(pack.students) == 1:
            self._end_student(pack.students[0], "failed", reason)
        else:
            self._print(f"{_pack_label(pack)}: {reason}; each will be trained alone")
            for student in pack.students:
                if student_status(history(self.folder, student.key)):
                    self._end_student(student, "failed", reason)

    def _show_epoch(self, student: StudentSpec, row: dict[str, Any]) -> None:
        if student.key in self.ended:  # a retried pack reports its ended students again
            return
        self.display.student_epoch(student, row)
        past = history(self.folder, student.key)
        if row["epoch"] == student.recipe.train.epochs and student_status(past):
            self._show_end(student, past)  # its trial may go on with other students
        elif past is not None:
            self.trackers.update(past)

    def _end_student(self, student: StudentSpec, status: str, reason: str | None = None) -> None:
        """Write the final row, unless the worker has, and show it once."""
        if student.key in self.ended:
            return
        past = history(self.folder, student.key)
        if not past:  # its worker died before it wrote the first row, without which a final row is not valid
            start = first_row(student) | {"teacher": None, "time": time.time()}
            records.append_row(self.folder, student.key, start)
        if not past or not past.end:
            write_driver_end(self.folder, student.key, status, reason)
            past = history(self.folder, student.key)
        self._show_end(student, past)

    def _show_end(self, student: StudentSpec, past: History | None) -> None:
        assert past is not None
        self.ended.add(student.key)
        self.trackers.update(past)
        value = past.epochs[-1][self.space.search.metric] if past.epochs else None
        missing = student.recipe.train.epochs - len(past.epochs)
        self.display.student_ended(student, past.end["status"], value, past.end["reason"], missing)

    def _print(self, line: str) -> None:
        self.display.console.print(line, highlight=False, markup=False, soft_wrap=True)


def write_driver_end(folder: Path, student: str, status: str, reason: str | None = None) -> None:
    """Write the final row of a student for its worker."""
    row = {"kind": "end", "status": status, "reason": reason, "test_accuracy": None, "time": time.time()}
    records.append_row(folder, student, row)
    if status == "stopped":
        paths.checkpoint_file(folder, student).unlink(missing_ok=True)


def _pack_label(pack: Pack) -> str:
    """Return the first student's label and the number of others."""
    others_count = len(pack.students) - 1
    return student_label(pack.students[0]) + (f" and {others_count} in its pack" if others_count else "")
