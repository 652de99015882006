"""The table of two knobs as a heat map, once for each metric."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

from results import experiment as experiments
from results import grids, markdown, wording
from results.experiment import Experiment
from results.grids import Grid

METRICS = {
    "test_accuracy": "test accuracy (%)",
    "val_accuracy": "validation accuracy (%)",
    "best_val_accuracy": "validation accuracy of the best epoch (%)",
    "agreement": "agreement with the teacher (%)",
}


class Heat(NamedTuple):
    """One heat map: lists [rows][columns], percents None where there is no student; `tips` are read on pointing."""

    metric: str
    name: str
    rows: str
    columns: str
    row_labels: list[str]
    column_labels: list[str]
    percent: list[list[float | None]]
    texts: list[list[str]]
    tips: list[list[str]]
    best: list[tuple[int, int]]
    notes: list[str]


def heats(experiment: Experiment) -> list[Heat]:
    """The table the space asks for in every metric that some student has; empty where it asks for none."""
    if experiments.table(experiment) is None:
        return []
    found = [_grid(experiment, metric) for metric in METRICS]
    return [_heat(experiment, grid) for grid in found if grid is not None]


def _grid(experiment: Experiment, metric: str) -> Grid | None:
    wanted, students = experiment.space.table, experiment.students
    known = students[students[metric].notna()]  # a baseline has no teacher to agree with
    if wanted is None or not (known["status"] == "finished").any():
        return None
    found = grids.grid(known, x=wanted.columns, y=wanted.rows, metric=metric, chosen_by=experiment.metric)
    return found if found.n.any() else None


def _heat(experiment: Experiment, grid: Grid) -> Heat:
    names = experiment.space.knobs
    return Heat(
        metric=grid.metric,
        name=METRICS[grid.metric],
        rows=wording.short(grid.rows, names),
        columns=wording.short(grid.columns, names),
        row_labels=[wording.label(label) for label in grid.row_labels],
        column_labels=[wording.label(label) for label in grid.column_labels],
        percent=[[None if numpy.isnan(mean) else round(100 * mean, 4) for mean in line] for line in grid.mean.tolist()],
        texts=wording.cells(grid),
        tips=[[_tip(grid, row, column, names) for column in range(grid.n.shape[1])] for row in range(grid.n.shape[0])],
        best=[(row, column) for row, column in numpy.argwhere(grid.best).tolist()],
        notes=_notes(experiment, grid),
    )


def _tip(grid: Grid, row: int, column: int, names: list[str]) -> str:
    places = ((grid.rows, grid.row_labels[row]), (grid.columns, grid.column_labels[column]))
    lines = [", ".join(f"{wording.short(name, names)} {wording.label(label)}" for name, label in places)]
    cell: tuple[Any, ...] = (row, column)
    if not grid.n[cell]:
        return f"{lines[0]}\nno finished student"
    lines.append(f"{wording.percent(grid.mean[cell], grid.std[cell])} % (n = {grid.n[cell]})")
    marks = [
        (grid.best[cell], "chosen by validation"),
        (grid.tied[cell], "= the highest, or not detectably below it"),
        (grid.alone[cell], "the baseline: trained without a teacher"),
    ]
    return "\n".join(lines + [text for marked, text in marks if marked])


def _notes(experiment: Experiment, grid: Grid) -> list[str]:
    """What stands under the same table in table.md, the chosen cell being outlined here."""
    lines = [line.replace("`", "").replace("Bold:", "Outlined:") for line in markdown.notes(experiment, grid)]
    if grid.metric != "test_accuracy":
        lines.append("Differences and tests above are of the metric shown.")
    if grid.metric.endswith("val_accuracy"):
        lines.append("Cells were chosen on these images: the highest of many is flattered by them.")
    return lines
