"""The report page of a running search, rewritten from its rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from results import paths, records
from results.experiment import load_experiment
from results.report.page import report_page
from results.students import History
from spaces.space import Space

MIN_PAUSE_SECONDS = 10.0  # between two pages
PAUSE_FACTOR = 100  # pause after a page, in units of the time of writing it: 1 % of the driver's time


class ReportTracker:
    """Writes report.html at the start and after pauses.

    A large experiment has longer pauses, so that the pages take 1 % of the driver's time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._write_page()

    def update(self, student: History) -> None:
        """Write the page again if the pause is over."""
        if monotonic() >= self._next_time:
            self._write_page()

    def close(self, students: Sequence[History], *, done: bool) -> None:
        """Write nothing: the driver writes all results at the end of a run."""

    def _write_page(self) -> None:
        began = monotonic()
        records.write_file(paths.report_file(self._folder), report_page(load_experiment(self._folder)))
        ended = monotonic()
        self._next_time = ended + max(MIN_PAUSE_SECONDS, PAUSE_FACTOR * (ended - began))


def start_tracker(folder: Path, space: Space, option: Any, students: Sequence[History]) -> ReportTracker:
    """Write the first page of a run."""
    return ReportTracker(folder)
