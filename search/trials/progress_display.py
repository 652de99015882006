"""Progress of a search on the console.

A terminal shows one live bar; a file gets plain lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from time import monotonic
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from search.students.spec import StudentSpec

PRINT_INTERVAL_SECONDS = 15.0  # between plain lines about epochs


class ProgressDisplay:
    """Show epochs and students of all stages; a context manager."""

    def __init__(self, console: Console, metric: str, mode: str):
        self.console, self.metric, self.sign = console, metric, 1 if mode == "max" else -1
        self.counts: Counter[str] = Counter()  # ended students, by status
        self.running: set[str] = set()
        self.best: tuple[float, str] | None = None
        self.began = self.last_printed = monotonic()
        self.resumed = 0  # epochs of the stage that an earlier run trained
        columns = (
            TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), TaskProgressColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} epochs"), TimeElapsedColumn(), TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False), TextColumn("{task.fields[status]}", markup=False),
        )  # fmt: skip
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self.task = self.progress.add_task("", total=0, status="")

    def __enter__(self) -> ProgressDisplay:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def begin_stage(self, name: str, epochs: int, students: int = 0, resumed: int = 0) -> None:
        """Start a stage.

        `resumed` of its epochs were trained by an earlier run.
        """
        self.counts.clear()
        self.running.clear()
        self.began, self.resumed = monotonic(), resumed
        self.progress.reset(self.task, description=name, total=epochs, completed=resumed, status=self._status_text())
        if not self.console.is_terminal:
            self.console.print(f"{name}: {students} students, {epochs - resumed} epochs" if students else f"{name} …")

    def teacher_epoch(self, name: str, epoch: int, epochs: int, accuracy: float) -> None:
        """Show an epoch of a teacher."""
        self.progress.update(self.task, completed=epoch, status=f"validation {accuracy:.2%}")
        self._print_line(f"  {name}: epoch {epoch}/{epochs}, validation {accuracy:.2%}")

    def student_epoch(self, student: StudentSpec, row: Mapping[str, Any]) -> None:
        """Show an epoch of a student."""
        self.running.add(student.key)
        self.progress.update(self.task, advance=1, status=self._status_text())
        task = self.progress.tasks[0]
        epochs_left = (task.total or 0) - task.completed
        rate = (task.completed - self.resumed) / max(monotonic() - self.began, 1e-9)
        time_left = f"{timedelta(seconds=round(epochs_left / rate))} left" if rate else ""
        self._print_line(f"  {task.completed:.0f}/{task.total:.0f} epochs, {time_left}, {self._status_text()}")

    def student_ended(
        self, student: StudentSpec, status: str, value: float | None, reason: str | None, missing: int
    ) -> None:
        """Show the end of a student; `missing` epochs will not be trained.

        `value` is its last validation metric.
        """
        self.counts[status] += 1
        self.running.discard(student.key)
        total = self.progress.tasks[0].total or 0
        if missing:
            self.progress.update(self.task, total=total - missing)
        if status == "finished" and value is not None and (not self.best or self.sign * (value - self.best[0]) > 0):
            self.best = value, student_label(student)
        if reason:
            line = escape(f"{student_label(student)}: {reason}")  # [batch, 10] is not markup
            self.console.print(f"[red]{status}[/red] {line}", highlight=False, soft_wrap=True)
        self.progress.update(self.task, status=self._status_text())

    def _status_text(self) -> str:
        status = [f"{len(self.running)} running", *(f"{n} {status}" for status, n in self.counts.items())]
        if self.best:
            status.append(f"best {self.metric} {self.best[0]:.4f} ({self.best[1]})")
        return ", ".join(status)

    def _print_line(self, line: str) -> None:
        if not self.console.is_terminal and monotonic() - self.last_printed > PRINT_INTERVAL_SECONDS:
            self.last_printed = monotonic()
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def student_label(student: StudentSpec) -> str:
    """Return the knobs of a student without their paths, and its seed."""
    knobs = [f"{path.rsplit('.', 1)[-1]} {_short_value(value)}" for path, value in student.values.items()]
    baseline = ["baseline"] if student.stage == "baseline" else []
    return ", ".join([*baseline, *knobs, f"seed {student.recipe.seed}"])


def _short_value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
