"""What the driver does when Ray tells of a student: it is shown everywhere, and ends if it was stopped."""

from __future__ import annotations

import time
from collections.abc import Set
from pathlib import Path
from typing import Any

from ray.tune import Callback

from results import records
from results.students import history, labels
from results.trackers import Trackers
from results.trackers.tensorboard import Board
from search.students.spec import Pack, StudentSpec, opening, status
from search.trials.console import Display, describe
from spaces.space import Space

RETRIES = 3  # of a student, or of a teacher, whose worker process died


class Watch(Callback):
    """Follows the students of one stage; `stopped` are those that the scheduler has stopped."""

    def __init__(
        self, space: Space, folder: Path, display: Display, board: Board, trackers: Trackers, stopped: Set[str]
    ):
        self.space, self.folder, self.display, self.board, self.trackers = space, folder, display, board, trackers
        self.stopped = stopped
        self.over: set[str] = set()  # students whose end has been told

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles its callbacks to restore them; here the rows are what is restored from

    def on_trial_result(self, iteration: int, trials: list, trial: Any, result: dict, **info: Any) -> None:
        """Epochs are done, of one student or of a pack."""
        pack: Pack = trial.config["pack"]
        rows = {row["trial"]: row for row in result["rows"]}
        for student in pack.students:
            if student.key in rows:
                self._epoch(student, rows[student.key])
            if student.key in self.stopped:  # its worker, which trains others on, reads of it before their next epoch
                self._end(student, "stopped", None)
        if reason := result.get("said"):
            self._say(f"{_named(pack)}: {reason}")

    def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """A student ended; one that has begun and wrote no end itself was stopped by the scheduler."""
        for student in trial.config["pack"].students:
            if student.key not in self.over and history(self.folder, student.key):
                self._end(student, "stopped", None)

    def on_trial_recover(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """A worker died; its student is tried again."""
        line = f"{_named(trial.config['pack'])}: its worker process died; it goes on from its last epoch"
        self._say(f"{line} (retry {trial.num_failures} of {RETRIES})")

    def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """A worker died more often than it is retried; where Ray gave up before, the students have no end yet."""
        pack: Pack = trial.config["pack"]
        if trial.num_failures <= RETRIES:
            return
        reason = f"its worker process died {RETRIES + 1} times"
        if len(pack.students) == 1:
            self._end(pack.students[0], "failed", reason)
        else:
            self._say(f"{_named(pack)}: {reason}; each will be trained alone")
            for student in pack.students:
                if status(history(self.folder, student.key)):
                    self._end(student, "failed", reason)

    def _epoch(self, student: StudentSpec, row: dict[str, Any]) -> None:
        if student.key in self.over:  # its pack is tried again, which tells once more who had ended
            return
        about = opening(student)
        self.board.epoch(student.key, {**about, "values": labels(about, self.space.knobs)}, row)
        self.display.epoch(student, row)
        if row["epoch"] == student.recipe.train.epochs and status(history(self.folder, student.key)):
            self._end(student, "stopped", None)  # now, for others of its pack have yet to begin
        else:
            self._tell(student)

    def _say(self, line: str) -> None:
        self.display.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _end(self, student: StudentSpec, status: str, reason: str | None) -> None:
        if student.key in self.over:
            return
        self.over.add(student.key)
        past = history(self.folder, student.key)
        epochs, row = (past.epochs, past.end) if past else ([], {})
        if not past:  # its worker died before it could say so, and an end without a beginning is nobody's
            begun = opening(student) | {"teacher": None, "time": time.time()}
            records.append(self.folder, student.key, begun)
        if not row:
            row = {"kind": "end", "status": status, "reason": reason, "test_accuracy": None, "time": time.time()}
            records.append(self.folder, student.key, row)
            if status == "stopped":
                records.checkpoint_file(self.folder, student.key).unlink(missing_ok=True)
        self.board.end(student.key, row["status"], row)
        self._tell(student)
        value = epochs[-1][self.space.search.metric] if epochs else None
        missed = student.recipe.train.epochs - len(epochs)
        self.display.ended(student, row["status"], value, row["reason"], missed)

    def _tell(self, student: StudentSpec) -> None:
        """From the rows, which know of earlier runs as well."""
        past = history(self.folder, student.key)
        if past is not None:
            self.trackers.tell(past)


def _named(pack: Pack) -> str:
    """A pack in a few words: its first student, and how many others there are."""
    others = len(pack.students) - 1
    return describe(pack.students[0]) + (f" and {others} in its pack" if others else "")
