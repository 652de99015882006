"""Progress of a search on the console.

A terminal shows a live bar and a line of details; a file gets plain lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from time import monotonic
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from search.students.spec import StudentSpec
from search.trials.live_lines import BestStudent, StageProgress, details_text, live_lines, student_label
from search.trials.time_left import TEACHER_WEIGHT, EpochClock

PRINT_INTERVAL_SECONDS = 15.0  # between plain lines about epochs


class ProgressDisplay:
    """Show epochs and students of all stages; a context manager.

    `planned_epoch_seconds` is the plan's estimate for the students, all workers together, and
    `planned_teacher_seconds` that of a teacher's epoch.
    """

    def __init__(
        self,
        console: Console,
        metric: str,
        mode: str,
        planned_epoch_seconds: float | None = None,
        planned_teacher_seconds: float | None = None,
    ):
        self.console, self.metric, self.sign = console, metric, 1 if mode == "max" else -1
        self.student_epoch_seconds, self.teacher_epoch_seconds = planned_epoch_seconds, planned_teacher_seconds
        self.counts: Counter[str] = Counter()  # ended students, by status
        self.running: set[str] = set()
        self.best: BestStudent | None = None
        self.last_printed = monotonic()
        self.clock, self.trains_students = EpochClock(), False
        self.stage = StageProgress("starting Ray", 0, 0, monotonic(), None)
        self.message = ""  # instead of the counts
        self.live = Live(console=console, transient=True, get_renderable=self.render)

    def __enter__(self) -> ProgressDisplay:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def render(self) -> Table:
        """Return the live lines."""
        width = self.console.width
        return live_lines(self.stage, details_text(self._details(), self.best, width), width)

    def begin_wait(self, name: str) -> None:
        """Show the name of a wait, without a bar."""
        self.message, self.stage = "", StageProgress(name, 0, 0, monotonic(), None)

    def begin_stage(self, name: str, epochs: int, students: int = 0, resumed: int = 0, workers: int = 0) -> None:
        """Start a stage.

        `resumed` of its epochs were trained by an earlier run.
        """
        self.counts.clear()
        self.running.clear()
        if self.trains_students and self.clock.measured:  # the next stage starts from the pace of the last one
            self.student_epoch_seconds = self.clock.epoch_seconds()
        self.trains_students = bool(students)
        if self.trains_students:
            self.clock = EpochClock(self.student_epoch_seconds)
        else:
            self.clock = EpochClock(self.teacher_epoch_seconds, TEACHER_WEIGHT)
        self.message = f"starting {workers} worker{'s' * (workers != 1)}" if workers else ""
        self.stage = StageProgress(name, resumed, epochs, monotonic(), None)
        self._update(resumed)
        if not self.console.is_terminal:
            self.console.print(f"{name}: {students} students, {epochs - resumed} epochs" if students else f"{name} …")

    def teacher_epoch(self, name: str, epoch: int, epochs: int, accuracy: float) -> None:
        """Show an epoch of a teacher; after the last one its outputs are computed."""
        score = f"validation {100 * accuracy:.2f} %"
        self.message = score if epoch < epochs else f"{score}, computing the outputs for all images"
        self.clock.report(name)
        self._update(epoch)
        self._print_line(f"  {name}: epoch {epoch}/{epochs}, {score}", always=epoch == epochs)

    def student_epoch(self, student: StudentSpec, row: Mapping[str, Any]) -> None:
        """Show an epoch of a student."""
        self.running.add(student.key)
        self.message = ""
        self.clock.report(student.key)
        self._update(self.stage.completed + 1)
        self._print_stage()

    def student_ended(
        self, student: StudentSpec, status: str, value: float | None, reason: str | None, missing: int
    ) -> None:
        """Show the end of a student; `missing` epochs will not be trained.

        `value` is its last validation metric.
        """
        self.counts[status] += 1
        self.running.discard(student.key)
        self.clock.end_first_round()
        if status == "finished" and value is not None and (not self.best or self.sign * (value - self.best.value) > 0):
            self.best = BestStudent(self.metric, value, student_label(student), student.stage == "baseline")
        if reason:
            line = escape(f"{student_label(student)}: {reason}")  # [batch, 10] is not markup
            self.console.print(f"[red]{status}[/red] {line}", highlight=False, soft_wrap=True)
        self._update(self.stage.completed, missing)
        if self.stage.completed >= self.stage.total and not self.running:
            self._print_stage(always=True)

    def _update(self, completed: int, missing: int = 0) -> None:
        total = self.stage.total - missing
        seconds = self.clock.seconds_left(max(0, total - completed), len(self.running))
        self.stage = self.stage._replace(completed=completed, total=total, seconds_left=seconds)

    def _details(self) -> str:
        running = [f"{len(self.running)} running"] if self.running else []
        counts = [f"{n} {status}" for status, n in list(self.counts.items())]
        return self.message or ", ".join([*running, *counts])

    def _print_stage(self, *, always: bool = False) -> None:
        stage, seconds = self.stage, self.stage.seconds_left
        left = f", left {timedelta(seconds=round(seconds))}" if seconds else ""
        details = details_text(self._details(), self.best)
        self._print_line(f"  {stage.completed}/{stage.total} epochs{left}, {details}", always=always)

    def _print_line(self, line: str, *, always: bool = False) -> None:
        if not self.console.is_terminal and (always or monotonic() - self.last_printed > PRINT_INTERVAL_SECONDS):
            self.last_printed = monotonic()
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)
