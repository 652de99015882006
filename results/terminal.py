"""Leaderboard and table on a terminal or in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from results import experiment as experiments
from results import markdown
from results.experiment import Experiment
from results.grids import Grid
from results.students import diagnoses, knobs
from results.wording import short

SHOWN = 10
# what is left out first where a terminal is too narrow; knobs follow, the last of the space first
DROPPED = ("train_seconds", "macs", "latency_ms", "parameters", "epochs", "agreement", "left_out", "n")


def console() -> Console:
    """The standard output: a pipe has no width to respect, and a table squeezed into 80 columns loses its numbers."""
    return Console(width=None if sys.stdout.isatty() else 160)


def show(experiment: Experiment, console: Console) -> None:
    """Prints the protocol, the best of the leaderboard, the table, and where everything is."""
    soft = not console.is_terminal  # a pipe has no lines to break
    for line in markdown.protocol(experiment):
        console.print(Text(line.replace("**", "")), soft_wrap=soft)
    _leaderboard(experiment, console)
    grid = experiments.table(experiment)
    if grid is not None:
        _matrix(experiment, grid, console)
        for note in markdown.notes(experiment, grid):
            console.print(Text(note.replace("`", "")), soft_wrap=soft)
    console.print(Text(f"Tables, pictures and TensorBoard logs: {experiment.folder}"))


def _leaderboard(experiment: Experiment, console: Console) -> None:
    """As many of its columns as fit: a number broken over two lines is read as two."""
    shown = markdown.top(experiments.leaderboard(experiment), SHOWN)
    numbers, names = markdown.numbers(experiment), [*knobs(experiment.students), *diagnoses(experiment.students)]
    droppable = [*DROPPED, *reversed(names)]
    table = _table("Leaderboard", markdown.board(shown, numbers))
    while droppable and not _fits(table, console):
        name = droppable.pop(0)
        numbers = [other for other in numbers if other != name]
        shown = shown.drop(columns=name) if name in names else shown
        table = _table("Leaderboard", markdown.board(shown, numbers))
    console.print(table)
    if len(droppable) < len([*DROPPED, *names]):
        console.print(Text("More columns: leaderboard.md, or a wider terminal."))


def _matrix(experiment: Experiment, grid: Grid, console: Console) -> None:
    """Each cell on one line where there is room, otherwise its deviation below its mean."""
    names = knobs(experiment.students)
    texts = markdown.matrix(grid, short(grid.rows, names), short(grid.columns, names))
    bold = [[False, *marks] for marks in grid.best.tolist()]
    table = _table("Test accuracy in %", texts, bold)
    if not _fits(table, console):
        texts = [[text.replace(" ±", "\n±").replace(" \\ ", " \\\n") for text in line] for line in texts]
        table = _table("Test accuracy in %", texts, bold)
    console.print(table)


def _table(title: str, lines: list[list[str]], bold: Sequence[Sequence[bool]] | None = None) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE)
    for head in lines[0]:
        table.add_column(Text(head), no_wrap=True)
    for line, marks in zip(lines[1:], bold or [[False] * len(line) for line in lines[1:]], strict=True):
        table.add_row(*(Text(text, style="bold" * mark) for text, mark in zip(line, marks, strict=True)))
    return table


def _fits(table: Table, console: Console) -> bool:
    return Measurement.get(console, console.options.update(max_width=10_000), table).maximum <= console.width
