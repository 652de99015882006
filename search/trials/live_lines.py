"""Live lines of a stage, fitted to the width of the terminal."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from typing import Any, NamedTuple

from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from search.students.spec import StudentSpec
from spaces.metrics import VAL_FIELDS

BAR_WIDTH, MIN_BAR_WIDTH = 20, 6
MIN_NAME_WIDTH = 8


class StageProgress(NamedTuple):
    """Progress of one stage."""

    name: str
    completed: int  # epochs
    total: int  # epochs; 0 without a bar
    began: float  # of the monotonic clock
    seconds_left: float | None


class BestStudent(NamedTuple):
    """Best finished student so far."""

    metric: str
    value: float
    label: str
    is_baseline: bool


def live_lines(stage: StageProgress, details: str, width: int) -> Table:
    """Return the line with the bar and the details below.

    Bar, percent and time left are always shown. On a narrow terminal the elapsed time is dropped first.
    """
    lines = Table.grid()
    if not stage.total:
        lines.add_row(_clipped(f"{stage.name} … elapsed {_clock_text(monotonic() - stage.began)}"))
        return lines
    numbers = _stage_numbers(stage, width - MIN_NAME_WIDTH - MIN_BAR_WIDTH - 2)
    bar_width = max(MIN_BAR_WIDTH, min(BAR_WIDTH, width - len(stage.name) - len(numbers) - 2))
    bar = ProgressBar(stage.total, stage.completed, width=bar_width)
    first = Table.grid(padding=(0, 1))
    name = _clipped(stage.name)
    name.truncate(max(MIN_NAME_WIDTH, width - bar_width - len(numbers) - 2), overflow="ellipsis")
    first.add_row(name, bar, _clipped(numbers))
    lines.add_row(first)
    lines.add_row(_clipped(f"  {details}"))
    return lines


def _stage_numbers(stage: StageProgress, width: int) -> str:
    """Return the numbers of a stage, shortened to the width."""
    percent = f"{min(1.0, stage.completed / stage.total):.0%}"
    epochs = f"{stage.completed}/{stage.total} epochs"
    elapsed = f"elapsed {_clock_text(monotonic() - stage.began)}"
    left = [f"left {_clock_text(stage.seconds_left)}"] if stage.seconds_left is not None else []
    versions = (
        f"{percent} {', '.join([epochs, elapsed, *left])}",
        f"{percent} {', '.join([epochs, *left])}",
        ", ".join([percent, *left]),
    )
    return next((text for text in versions if len(text) <= width), versions[-1])


def details_text(counts: str, best: BestStudent | None, width: int | None = None) -> str:
    """Return the counts and the best student.

    If the width is too small, the best student is dropped first: its knobs, then the rest.
    """
    if best is None:
        return counts
    value = f"best {metric_text(best.metric, best.value)}"
    kind = "baseline, single seed" if best.is_baseline else "single seed"
    versions = (f"{counts}, {value} (single seed: {best.label})", f"{counts}, {value} ({kind})", counts)
    texts = [text.removeprefix(", ") for text in versions]
    return next((text for text in texts if width is None or len(text) + 2 <= width), counts)


def metric_text(name: str, value: float) -> str:
    """Return `validation 49.67 %` or `validation NLL 1.2345`."""
    metric = VAL_FIELDS[name].metric
    number = f"{100 * value:.2f} %" if metric.unit == "fraction" else f"{value:.4f}"
    return " ".join(filter(None, ("validation", metric.head, number)))


def student_label(student: StudentSpec) -> str:
    """Return the knobs of a student without their paths, and its seed."""
    knobs = [f"{path.rsplit('.', 1)[-1]} {_short_value(value)}" for path, value in student.values.items()]
    baseline = ["baseline"] if student.stage == "baseline" else []
    return ", ".join([*baseline, *knobs, f"seed {student.recipe.seed}"])


def _short_value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _clock_text(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def _clipped(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")
