"""Heat maps of the table of two knobs, one per metric.

`png.draw_heatmap` and the report page draw the same data.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

from results import wording
from results.experiment import Experiment
from results.figures.titles import figure_title
from results.findings import grid_text
from results.grids import Grid
from results.students import knob_columns

METRIC_TITLES = {
    "test_accuracy": "test accuracy (%)",
    "val_accuracy": "validation accuracy (%)",
    "best_val_accuracy": "validation accuracy of the best epoch (%)",
    "agreement": "agreement with the teacher (%)",
}


class Heatmap(NamedTuple):
    """One heat map; lists are [rows][columns].

    `percent` is None in cells without a finished student. `texts` are the numbers in the cells, `tips` the tooltips,
    `best` the [row, column] of the cells chosen by validation, `hatched` those without a finished student that the
    search was asked to train.
    """

    metric: str
    name: str
    title: str
    rows: str
    columns: str
    row_labels: list[str]
    column_labels: list[str]
    percent: list[list[float | None]]
    texts: list[list[str]]
    tips: list[list[str]]
    best: list[tuple[int, int]]
    hatched: list[tuple[int, int]]
    caption: str
    notes: list[str]
    tests: list[str]


def heatmaps(experiment: Experiment) -> list[Heatmap]:
    """Return the heat maps of all metrics of METRIC_TITLES with data.

    Empty if the space defines no table or no student has finished.
    """
    tables = (experiment.grid(metric) for metric in METRIC_TITLES)
    return [heatmap(experiment, grid) for grid in tables if grid is not None]


def heatmap(experiment: Experiment, grid: Grid) -> Heatmap:
    """Return the heat map of a table."""
    knobs, name = knob_columns(experiment.students), METRIC_TITLES[grid.metric]
    rows, columns = grid.n.shape
    return Heatmap(
        metric=grid.metric,
        name=name,
        title=figure_title(experiment, name.capitalize()),
        rows=wording.short_name(grid.rows, knobs),
        columns=wording.short_name(grid.columns, knobs),
        row_labels=_row_labels(grid),
        column_labels=[wording.format_label(value) for value in grid.column_labels],
        percent=[[None if numpy.isnan(mean) else round(100 * mean, 4) for mean in row] for row in grid.mean.tolist()],
        texts=wording.format_cells(grid),
        tips=[[_cell_tip(grid, row, column, knobs) for column in range(columns)] for row in range(rows)],
        best=_marked_cells(grid.is_best),
        hatched=_marked_cells((grid.n == 0) & (grid.asked > 0)),
        caption=f"{wording.describe_counts(grid)}; ±: standard deviation over seeds; outlined: chosen by validation"
        + "\n=: the highest mean and the cells not detectably below it (5 %)" * bool(grid.is_tied.any()),
        notes=_heatmap_notes(experiment, grid),
        tests=[wording.plain_text(line) for line in grid_text(experiment, grid).tests],
    )


def _marked_cells(marks: numpy.ndarray) -> list[tuple[int, int]]:
    return [(row, column) for row, column in numpy.argwhere(marks).tolist()]


def _row_labels(grid: Grid) -> list[str]:
    """Return the row labels; a row of baselines is marked."""
    return [
        wording.format_label(value) + " (baseline)" * bool(baseline.any() and baseline.all())
        for value, baseline in zip(grid.row_labels, grid.is_baseline, strict=True)
    ]


def _cell_tip(grid: Grid, row: int, column: int, knobs: list[str]) -> str:
    pairs = ((grid.rows, grid.row_labels[row]), (grid.columns, grid.column_labels[column]))
    lines = [", ".join(f"{wording.short_name(name, knobs)} {wording.format_label(value)}" for name, value in pairs)]
    cell: tuple[Any, ...] = (row, column)
    missing = [f"not counted: {grid.unfinished[cell]}"] * bool(grid.unfinished[cell])
    if not grid.n[cell]:
        return "\n".join([*lines, "no finished student", *missing])
    lines += [f"{wording.format_percent(grid.mean[cell], grid.std[cell])} % (n = {grid.n[cell]})", *missing]
    marks = [
        (grid.is_best[cell], "chosen by validation"),
        (grid.is_tied[cell], "= the highest mean, or not detectably below it"),
        (grid.is_baseline[cell], "the baseline: trained on labels only"),
    ]
    return "\n".join(lines + [text for marked, text in marks if marked])


def _heatmap_notes(experiment: Experiment, grid: Grid) -> list[str]:
    """Return the notes of table.md, worded for an outlined cell."""
    text = grid_text(experiment, grid)
    lines = [wording.plain_text(line).replace("Bold:", "Outlined:") for line in [*text.legend, *text.findings]]
    if grid.metric != "test_accuracy":
        lines.append("Differences and tests above are those of the metric shown.")
    if grid.metric.endswith("val_accuracy"):
        lines.append("Cells were chosen on these images: the highest of many cells is biased upward.")
    return lines
