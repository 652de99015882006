"""Leaderboard and table on a terminal or in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from results import paths
from results.compared_leaderboard import compared_leaderboard
from results.console import chosen_width, print_plain
from results.experiment import Experiment
from results.findings import TESTS_TITLE, grid_text, missing_table_note
from results.grids import Grid
from results.knob_interactions import interaction_findings, interaction_tests
from results.number_columns import DROPPED_FIRST, shown_numbers
from results.protocol import protocol_lines
from results.students import diagnosis_columns, knob_columns
from results.text_tables import grid_texts, leaderboard_texts, top_lines
from results.verdict import experiment_verdict
from results.wording import plain_text, short_name

TERMINAL_LINES = 10
MOST_CHARACTERS = 800  # of a sentence of the protocol: twenty methods have as many formulas


def print_results(experiment: Experiment, console: Console) -> None:
    """Print verdict, protocol, leaderboard, table and findings."""
    verdict, grid = experiment_verdict(experiment), experiment.grid()
    _print_lines([verdict.sentence], console, style="bold")
    _print_lines([*verdict.details, ""], console)
    _print_lines(map(_shorten, protocol_lines(experiment)), console)
    _print_leaderboard(experiment, console)
    tests = verdict.tests
    if grid is not None:
        _print_grid(experiment, grid, console)
        text = grid_text(experiment, grid)
        _print_lines([*text.legend, *text.findings], console)
        tests += text.tests
    _print_lines(interaction_findings(experiment), console)
    tests += interaction_tests(experiment)
    _print_lines([f"{TESTS_TITLE}:", *tests] if tests else [], console)
    _print_lines([*filter(None, [missing_table_note(experiment)])], console)
    _print_lines(["", verdict.sentence], console, style="bold")
    for line in ["", *next_commands(experiment)]:
        print_plain(console, line)  # broken by the terminal only, so that it can be copied


def _shorten(line: str) -> str:
    """Return a line, or the start of a long one."""
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS].rstrip()} … (whole: leaderboard.md)"


def next_commands(experiment: Experiment) -> list[str]:
    """Return the next commands: report, export, TensorBoard.

    Paths below the current folder are relative.
    """
    folder = experiment.folder.absolute()
    folder = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    best = paths.best_tensorboard_folder(folder)
    logs = best if best.is_dir() else paths.tensorboard_folder(folder)
    is_ranked = experiment.leaderboard()["rank"].notna().any()
    return [
        f"Tables and pictures: {folder}",
        f"Report:              {paths.report_file(folder)} (open it in a browser)",
        *[f"Export the best:     python -m results export {folder}"] * bool(is_ranked),
        f"TensorBoard:         tensorboard --logdir {logs}",
    ]


def _print_lines(lines: Iterable[str], console: Console, style: str = "") -> None:
    soft = not console.is_terminal and not chosen_width()  # a pipe has no lines to break
    for line in lines:
        console.print(Text(plain_text(line), style=style), soft_wrap=soft)


def _print_leaderboard(experiment: Experiment, console: Console) -> None:
    """Print the leaderboard without the columns beyond the width."""
    shown, numbers = top_lines(compared_leaderboard(experiment), TERMINAL_LINES), shown_numbers(experiment)
    names = [*knob_columns(experiment.students), *diagnosis_columns(experiment.students)]
    droppable = [name for name in DROPPED_FIRST if name in numbers and name != experiment.metric]
    droppable += reversed(names)
    dropped = 0
    table = _rich_table("Leaderboard", leaderboard_texts(shown, numbers))
    while dropped < len(droppable) and not _fits_width(table, console):
        name, dropped = droppable[dropped], dropped + 1
        numbers = [number for number in numbers if number != name]
        shown = shown.drop(columns=name) if name in names else shown
        table = _rich_table("Leaderboard", leaderboard_texts(shown, numbers))
    console.print(table)
    if dropped:
        console.print(Text("More columns: leaderboard.md, or a wider terminal."))


def _print_grid(experiment: Experiment, grid: Grid, console: Console) -> None:
    """Print the table, deviations below the means on a narrow terminal."""
    names = knob_columns(experiment.students)
    texts = grid_texts(grid, short_name(grid.rows, names), short_name(grid.columns, names))
    bold = [[False, *marks] for marks in grid.is_best.tolist()]
    table = _rich_table("Test accuracy in %", texts, bold)
    if not _fits_width(table, console):
        texts = [[text.replace(" ±", "\n±").replace(" \\ ", " \\\n") for text in line] for line in texts]
        table = _rich_table("Test accuracy in %", texts, bold)
    console.print(table)


def _rich_table(title: str, rows: list[list[str]], bold: Sequence[Sequence[bool]] | None = None) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE)
    for head in rows[0]:
        table.add_column(Text(head), no_wrap=True)
    for row, marks in zip(rows[1:], bold or [[False] * len(row) for row in rows[1:]], strict=True):
        table.add_row(*(Text(text, style="bold" * mark) for text, mark in zip(row, marks, strict=True)))
    return table


def _fits_width(table: Table, console: Console) -> bool:
    return Measurement.get(console, console.options.update(max_width=10_000), table).maximum <= console.width
