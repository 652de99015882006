"""Trackers: displays of a running search in other programs.

All are drawn from the rows of the experiment folder. The driver sends each event once, to all trackers of a search.
The report page, TensorBoard and the journal of optuna-dashboard are always on; a space names others under `track`.

To add one, write a module with the functions of TrackerModule and a line in TRACKERS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from results.students import History, histories
from spaces.errors import did_you_mean
from spaces.space import Space


class Tracker(Protocol):
    """Shows the students of one search elsewhere."""

    def update(self, student: History) -> None:
        """Show the present rows of one student.

        Called in the driver after every epoch of a student and after its end. The same rows can come several times,
        also after the end, and must not be shown twice. A retried student repeats its last epochs and may be without
        an end again.
        """

    def close(self, students: Sequence[History], *, done: bool) -> None:
        """Show the present rows of all students and the end of the run.

        The run was interrupted if not `done`.
        """


class TrackerModule(Protocol):
    """Module of one tracker."""

    def start_tracker(self, folder: Path, space: Space, option: Any, students: Sequence[History]) -> Tracker:
        """Start tracking a search with these earlier students.

        A resumed search has some; show them as by `update`. `option` is the value under `track`. A relative path in it
        is relative to the working directory of the search command. Raises UserError if the tracker cannot be reached.
        """


class TrackerEntry(NamedTuple):
    """Module of a tracker, its optional package, and the type of its option."""

    module: str
    package: str | None = None
    takes_text: bool = False


TRACKERS = {
    "report_page": TrackerEntry("results.trackers.report_page"),
    "tensorboard": TrackerEntry("results.trackers.tensorboard"),
    "optuna_journal": TrackerEntry("results.trackers.optuna_journal"),
    "mlflow": TrackerEntry("results.trackers.mlflow", package="mlflow", takes_text=True),
    "trackio": TrackerEntry("results.trackers.trackio", package="trackio", takes_text=True),
}
ALWAYS_ON = ("report_page", "tensorboard", "optuna_journal")
MAX_REASON_CHARACTERS = 300


def check_trackers(space: Space) -> None:
    """Raise UserError for an unusable tracker."""
    for name, option in (space.track or {}).items():
        if name not in TRACKERS:
            raise space.error(f"track.{name}", f"unknown tracker {name}{did_you_mean(name, TRACKERS)}")
        entry = TRACKERS[name]
        if entry.package and find_spec(entry.package) is None:
            raise space.error(
                f"track.{name}", f"needs a package that is not installed; run pip install {entry.package}"
            )
        if option is not None and not (entry.takes_text and isinstance(option, str)):
            expected = "text" if entry.takes_text else "nothing"
            raise space.error(f"track.{name}", f"found {option}, expected {expected}")


class TrackerGroup:
    """All trackers of one run.

    A failing tracker is dropped, and the search goes on.
    """

    def __init__(self, trackers: Mapping[str, Tracker], print_line: Callable[[str], None]) -> None:
        self._trackers, self._print_line = dict(trackers), print_line

    def update(self, student: History) -> None:
        """Show the present rows of one student everywhere."""
        self._send(lambda tracker: tracker.update(student))

    def close(self, folder: Path, *, done: bool) -> None:
        """Show all students of a folder and the end of the run everywhere."""
        students = list(histories(folder))  # Ray reports no epochs that end while it stops
        self._send(lambda tracker: tracker.close(students, done=done))

    def _send(self, send: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                send(tracker)
            except Exception as error:  # for example a server that is gone, or a full disk
                del self._trackers[name]
                reason = (" ".join(str(error).split()) or type(error).__name__)[:MAX_REASON_CHARACTERS]
                self._print_line(f"tracker {name} stopped: {reason}. Run the command again to bring it up to date.")


def start_trackers(space: Space, folder: Path, print_line: Callable[[str], None]) -> TrackerGroup:
    """Start the permanent trackers and those of the space.

    Raises UserError if one cannot start.
    """
    options = {**dict.fromkeys(ALWAYS_ON), **(space.track or {})}
    students = list(histories(folder))
    modules = {name: cast(TrackerModule, import_module(TRACKERS[name].module)) for name in options}
    trackers = {name: modules[name].start_tracker(folder, space, options[name], students) for name in options}
    return TrackerGroup(trackers, print_line)
