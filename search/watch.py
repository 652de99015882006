"""What the driver does when Ray tells of a student: display, TensorBoard, and the end of those that were stopped."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ray.tune import Callback

from results import records
from results.students import history, labels
from results.tensorboard import Board
from search.display import Display
from search.students import Student, opening
from spaces.space import Space


class Watch(Callback):
    """Follows the students of one stage."""

    def __init__(self, space: Space, folder: Path, display: Display, board: Board):
        self.space, self.folder, self.display, self.board = space, folder, display, board

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles its callbacks to restore them; here the rows are what is restored from

    def on_trial_result(self, iteration: int, trials: list, trial: Any, result: dict, **info: Any) -> None:
        """An epoch is done."""
        student: Student = trial.config["student"]
        about = opening(student)
        self.board.epoch(student.key, {**about, "values": labels(about, self.space.knobs)}, result)
        self.display.epoch(student, result)

    def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """A student ended; one that wrote no end itself was stopped by the scheduler."""
        self._end(trial.config["student"], "stopped", None)

    def on_trial_error(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        """A worker died more often than it is retried."""
        self._end(trial.config["student"], "failed", "its worker process died repeatedly")

    def _end(self, student: Student, status: str, reason: str | None) -> None:
        past = history(self.folder, student.key)
        epochs, row = (past.epochs, past.end) if past else ([], {})
        if not row:
            row = {"kind": "end", "status": status, "reason": reason, "test_accuracy": None, "time": time.time()}
            records.append(self.folder, student.key, row)
            if status == "stopped":
                records.checkpoint_file(self.folder, student.key).unlink(missing_ok=True)
        self.board.end(student.key, row["status"], row)
        value = epochs[-1][self.space.search.metric] if epochs else None
        missed = student.recipe.train.epochs - len(epochs)
        self.display.ended(student, row["status"], value, row["reason"], missed)
