"""What the driver does when Ray tells of a student: it is shown everywhere, and ends if it was stopped."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ray.tune import Callback

from results import records
from results.students import history, labels
from results.tensorboard import Board
from search.display import Display, describe
from search.students import Student, opening
from search.tracking import Trackers
from spaces.space import Space

RETRIES = 3  # of a student, or of a teacher, whose worker process died


class Watch(Callback):
    """Follows the students of one stage."""

    def __init__(self, space: Space, folder: Path, display: Display, board: Board, trackers: Trackers):
        self.space, self.folder, self.display, self.board, self.trackers = space, folder, display, board, trackers

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles its callbacks to restore them; here the rows are what is restored from

    def on_trial_result(self, iteration: int, trials: list, trial: Any, result: dict, **info: Any) -> None:
        """An epoch is done."""
        student: Student = trial.config["student"]
        about = opening(student)
        self.board.epoch(student.key, {**about, "values": labels(about, self.space.knobs)}, result)
        self.display.epoch(student, result)
        self._tell(student)

    def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """A student ended; one that wrote no end itself was stopped by the scheduler."""
        self._end(trial.config["student"], "stopped", None)

    def on_trial_recover(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """A worker died; its student is tried again."""
        line = f"{describe(trial.config['student'])}: its worker process died; it goes on from its last epoch"
        count = f"(retry {trial.num_failures} of {RETRIES})"
        self.display.console.print(line, count, highlight=False, markup=False, soft_wrap=True)

    def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """A worker died more often than it is retried."""
        self._end(trial.config["student"], "failed", f"its worker process died {RETRIES + 1} times")

    def _end(self, student: Student, status: str, reason: str | None) -> None:
        past = history(self.folder, student.key)
        epochs, row = (past.epochs, past.end) if past else ([], {})
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

    def _tell(self, student: Student) -> None:
        """From the rows, which know of earlier runs as well."""
        past = history(self.folder, student.key)
        if past is not None:
            self.trackers.tell(past)
