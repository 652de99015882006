"""Who else is told of the students while they train: optuna-dashboard's journal, and MLflow where a space asks for it.

Both are drawn from the rows. One that fails is told no more, and the search goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from results.students import History, histories
from results.trackers import mlflow
from results.trackers.optuna_journal import Journal
from spaces.space import Space


class Tracker(Protocol):
    """Whoever shows students elsewhere."""

    def tell(self, student: History) -> None:
        """Bring one student up to date."""

    def close(self, students: Sequence[History], *, done: bool) -> None:
        """Bring all students up to date, and say that the experiment is over, or was interrupted."""


class Trackers:
    """All trackers of one run, by the names under which a person knows them."""

    def __init__(self, trackers: Mapping[str, Tracker], say: Callable[[str], None]) -> None:
        self._trackers, self._say = dict(trackers), say

    def tell(self, student: History) -> None:
        """Bring one student up to date everywhere."""
        self._all(lambda tracker: tracker.tell(student))

    def close(self, folder: Path, *, done: bool) -> None:
        """Bring all students of a folder up to date, and say that the experiment is over, or was interrupted."""
        students = list(histories(folder))  # Ray does not tell of epochs that came while it was being stopped
        self._all(lambda tracker: tracker.close(students, done=done))

    def _all(self, do: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                do(tracker)
            except Exception as error:  # a server that is gone, a full disk: the students train on
                del self._trackers[name]
                reason = " ".join(str(error).split()) or type(error).__name__
                self._say(f"{name} is told no more: {reason[:300]}. Running the command again brings it up to date.")


def begin(space: Space, folder: Path, say: Callable[[str], None]) -> Trackers:
    """The trackers of a space, told of all earlier students; raise UserError where one cannot be."""
    past = list(histories(folder))
    journal = Journal(folder, space)
    journal.tell_all(past)
    trackers: dict[str, Tracker] = {"optuna.journal": journal}
    if space.track:
        trackers["MLflow"] = mlflow.connect(folder, space, space.track.mlflow, past)
    return Trackers(trackers, say)
