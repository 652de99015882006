"""The printed plan of a search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from results import wording
from search.cluster.workers import local_workers
from search.plan import estimate, preview
from search.students.spec import StudentSpec
from spaces.space import Space
from trainables.data import Dataset


def print_plan(
    space: Space,
    data: Dataset,
    grid: Sequence[StudentSpec],
    folder: Path,
    console: Console,
    *,
    in_full: bool,
    import_seconds: float,
) -> None:
    """Print numbers of students and epochs, estimated time and disk space.

    The estimates are for this machine. `in_full` adds the loss, the searched knobs and one line per stage.
    """
    workers = local_workers(space)
    plan = estimate.estimate_plan(space, data, grid, workers, import_seconds)
    stages = ", ".join(f"{n} {stage}" for stage, n in plan.students.items() if n)
    at_most = "" if space.search.algorithm == "grid" else "at most "
    time = wording.format_duration(plan.seconds)
    sizes = " / ".join(f"{n:,}" for n in data.sizes.values())
    console.print(
        f"[bold]{escape(space.name)}[/]: {data.name}, {sizes} images to train on / validate / test\n"
        f"  teachers  {plan.teachers}\n"
        f"  students  {at_most}{sum(plan.students.values())} ({stages}), {at_most}{plan.epochs:,} epochs\n"
        f"  estimate  about {time} on this machine, {plan.megabytes:,.0f} MB of weights\n"
        f"  folder    {escape(str(folder))}",
        highlight=False,
        soft_wrap=True,
    )
    for line in preview.preview_lines(space, data, plan, workers) if in_full else ():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
