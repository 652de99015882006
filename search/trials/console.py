"""What a person sees while a search runs: one live bar, or plain lines where there is no terminal."""

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

SILENCE = 15.0  # seconds between plain lines about epochs


class Display:
    """Counts epochs and students of all stages; use as a context manager."""

    def __init__(self, console: Console, metric: str, mode: str):
        self.console, self.metric, self.sign = console, metric, 1 if mode == "max" else -1
        self.counts: Counter[str] = Counter()  # of students that ended, by status
        self.running: set[str] = set()
        self.best: tuple[float, str] | None = None
        self.began = self.spoken = monotonic()
        self.resumed = 0  # epochs of the stage that an earlier run did
        columns = (
            TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), TaskProgressColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} epochs"), TimeElapsedColumn(), TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False), TextColumn("{task.fields[news]}", markup=False),
        )  # fmt: skip
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self.task = self.progress.add_task("", total=0, news="")

    def __enter__(self) -> Display:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def stage(self, name: str, epochs: int, students: int = 0, resumed: int = 0) -> None:
        """Begin a stage of so many epochs, some of which an earlier run did."""
        self.counts.clear()
        self.running.clear()
        self.began, self.resumed = monotonic(), resumed
        self.progress.reset(self.task, description=name, total=epochs, completed=resumed, news=self._news())
        if not self.console.is_terminal:
            self.console.print(f"{name}: {students} students, {epochs - resumed} epochs" if students else f"{name} …")

    def teaching(self, name: str, epoch: int, epochs: int, accuracy: float) -> None:
        """One epoch of a teacher is done."""
        self.progress.update(self.task, completed=epoch, news=f"validation {accuracy:.2%}")
        self._speak(f"  {name}: epoch {epoch}/{epochs}, validation {accuracy:.2%}")

    def epoch(self, student: StudentSpec, row: Mapping[str, Any]) -> None:
        """One epoch of a student is done."""
        self.running.add(student.key)
        self.progress.update(self.task, advance=1, news=self._news())
        done = self.progress.tasks[0]
        left = (done.total or 0) - done.completed
        rate = (done.completed - self.resumed) / max(monotonic() - self.began, 1e-9)
        waited = f"{timedelta(seconds=round(left / rate))} left" if rate else ""
        self._speak(f"  {done.completed:.0f}/{done.total:.0f} epochs, {waited}, {self._news()}")

    def ended(self, student: StudentSpec, status: str, value: float | None, reason: str | None, missed: int) -> None:
        """A student ended, `missed` epochs before its time."""
        self.counts[status] += 1
        self.running.discard(student.key)
        total = self.progress.tasks[0].total or 0
        if missed:
            self.progress.update(self.task, total=total - missed)
        if status == "finished" and value is not None and (not self.best or self.sign * (value - self.best[0]) > 0):
            self.best = value, describe(student)
        if reason:
            line = escape(f"{describe(student)}: {reason}")  # a shape such as [batch, 10] is no markup
            self.console.print(f"[red]{status}[/red] {line}", highlight=False, soft_wrap=True)
        self.progress.update(self.task, news=self._news())

    def _news(self) -> str:
        news = [f"{len(self.running)} running", *(f"{n} {status}" for status, n in self.counts.items())]
        if self.best:
            news.append(f"best {self.metric} {self.best[0]:.4f} ({self.best[1]})")
        return ", ".join(news)

    def _speak(self, line: str) -> None:
        if not self.console.is_terminal and monotonic() - self.spoken > SILENCE:
            self.spoken = monotonic()
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def describe(student: StudentSpec) -> str:
    """A student in a few words: its knobs without their paths, and its seed."""
    knobs = [f"{path.rsplit('.', 1)[-1]} {_short(value)}" for path, value in student.values.items()]
    baseline = ["baseline"] if student.stage == "baseline" else []
    return ", ".join([*baseline, *knobs, f"seed {student.recipe.seed}"])


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
