"""The printed plan of a search."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from results import wording
from search.cluster.survey import ClusterSurvey
from search.cluster.workers import local_workers
from search.plan import estimate, preview
from search.plan.class_table import class_table
from search.plan.exportability import export_lines
from search.students.spec import StudentSpec
from spaces.label import label_text
from spaces.space import Space
from trainables.data import Dataset

STAGE_NOTES = {"explore": "searched", "baseline": "labels only", "confirm": "the best, new seeds"}


def print_plan(
    space: Space,
    data: Dataset,
    grid: Sequence[StudentSpec],
    place: str,
    console: Console,
    *,
    in_full: bool,
    import_seconds: float,
    survey: ClusterSurvey | None = None,
) -> estimate.Plan:
    """Print and return students, epochs, estimated time and disk space.

    `place` describes the experiment's folder. The estimates are for this machine. `in_full` adds the loss, the searched
    knobs and one line per stage. `survey` describes the nodes of a cluster.
    """
    workers = survey.workers if survey else local_workers(space)
    plan = estimate.estimate_plan(space, data, grid, workers, import_seconds)
    stages = ", ".join(f"{n:,}\u00a0{stage} ({STAGE_NOTES[stage]})" for stage, n in plan.students.items() if n)
    at_most = "" if space.search.algorithm == "grid" else "at most "
    time = wording.format_duration(plan.seconds)
    where = f"with {workers} workers like this machine" if survey else "on this machine"
    sizes = " / ".join(f"{n:,}" for n in data.sizes.values())
    megabytes = f"{plan.megabytes:,.0f} MB" if plan.megabytes >= 0.5 else "less than 1 MB"
    head = f"[bold]{escape(space.name)}[/]: {data.name}, {sizes} images to train on / validate / test"
    console.print(head, highlight=False, soft_wrap=True)
    lines = [
        *(line for note in data.notes for line in preview.wrap_row("images", note)),
        *(class_table(data) if in_full else ()),
        f"  teachers  {plan.teachers}",
        *preview.wrap_row("students", f"{at_most}{sum(plan.students.values()):,}: {stages}"),
        f"  epochs    {at_most}{plan.epochs:,}",
        f"  estimate  about {time} {where}, {megabytes} of weights",
        f"  folder    {place}",
        *_node_lines(survey, in_full),
        *_hours_warning(space, plan),
        *(preview.preview_lines(space, data, plan, workers) if in_full else ()),
        *(export_lines(space, data) if in_full else ()),
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    return plan


def _node_lines(survey: ClusterSurvey | None, in_full: bool) -> list[str]:
    """Return the nodes of a cluster, in one line unless `in_full`."""
    if survey is None:
        return []
    count = len(survey.nodes)
    head = f"{count} {'node' if count == 1 else 'nodes'}, {survey.workers} students at a time"
    lines = [f"  cluster   {head}, precision auto is {survey.precision}"]
    return lines + [f"            {line}" for line in survey.lines()] if in_full else lines


def _hours_warning(space: Space, plan: estimate.Plan) -> list[str]:
    """Return a line if the teachers alone take longer than `search.hours`."""
    hours = space.search.hours
    if hours is None or plan.teacher_seconds < hours * 3600:
        return []
    time = wording.format_duration(plan.teacher_seconds).replace(" ", "\u00a0")
    return preview.wrap_row("hours", f"{label_text(hours)} end before a student begins: the teachers take about {time}")
