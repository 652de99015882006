"""All result files of an experiment, written from its rows."""

from __future__ import annotations

from collections.abc import Iterable

import pandas

from results import markdown, paths, records, students
from results.experiment import Experiment, load_experiment
from results.figures import png
from results.figures.heatmaps import heatmap
from results.figures.learning_curves import configuration_curves
from results.grids import Grid
from results.paths import Folder
from results.report.page import report_page
from results.trackers.tensorboard import TensorBoardTracker, delete_logs

MAX_LISTED_NUMBERS = 50  # of a knob; with more, TensorBoard shows a range


def rebuild_results(folder: Folder) -> Experiment:
    """Write every result file and return the experiment.

    TensorBoard's logs and the journal are written only if the search is done: a running search writes them itself.
    Raises UserError if the folder holds no experiment.
    """
    experiment = load_experiment(folder)
    students.write_students(folder, experiment.students)
    records.write_file(paths.leaderboard_file(folder, "csv"), experiment.leaderboard().to_csv(index=False))
    records.write_file(paths.leaderboard_file(folder, "md"), markdown.leaderboard_page(experiment))
    curves = configuration_curves(experiment, experiment.leaderboard())
    records.write_file(paths.curves_file(folder), png.draw_learning_curves(curves))
    table = experiment.grid()
    if table is not None:
        _write_grid(experiment, table)
    if not experiment.running:
        _write_tensorboard(experiment)
        _write_journal(experiment)
    records.write_file(paths.report_file(folder), report_page(experiment))
    return experiment


def _write_grid(experiment: Experiment, table: Grid) -> None:
    folder = experiment.folder
    records.write_file(paths.table_file(folder, "csv"), _cells_as_rows(table).to_csv(index=False))
    records.write_file(paths.table_file(folder, "md"), markdown.grid_page(experiment, table))
    records.write_file(paths.heatmap_file(folder), png.draw_heatmap(heatmap(experiment, table)))


def _cells_as_rows(table: Grid) -> pandas.DataFrame:
    """Return one row per cell, numbers as fractions."""
    arrays = {
        **{"mean": table.mean, "std": table.std, "n": table.n, "val_mean": table.val_mean, "val_std": table.val_std},
        **{"best": table.is_best, "tied": table.is_tied, "baseline": table.is_baseline},
    }
    lines = [
        {table.rows: row, table.columns: column} | {name: array[i, j] for name, array in arrays.items()}
        for i, row in enumerate(table.row_labels)
        for j, column in enumerate(table.column_labels)
    ]
    return pandas.DataFrame(lines, dtype=object)


def _write_tensorboard(experiment: Experiment) -> None:
    delete_logs(experiment.folder)
    tracker = TensorBoardTracker(experiment.folder, _knob_labels(experiment.students))
    for student in students.histories(experiment.folder):
        tracker.update(student)
    if paths.heatmap_file(experiment.folder).exists() and experiment.space.table is not None:
        tracker.add_image("heatmap", paths.heatmap_file(experiment.folder))
    tracker.close([], done=True)


def _write_journal(experiment: Experiment) -> None:
    from results.trackers.optuna_journal import JournalTracker  # here: Optuna takes a second to import

    JournalTracker(experiment.folder, experiment.space).update_all(students.histories(experiment.folder))


def _knob_labels(rows: pandas.DataFrame) -> dict[str, list | None]:
    return {name: _distinct_labels(rows[name].dropna()) for name in students.knob_columns(rows)}


def _distinct_labels(column: Iterable) -> list | None:
    """Return the distinct values of a knob, None for many numbers."""
    values = list(dict.fromkeys(column))
    is_range = len(values) > MAX_LISTED_NUMBERS and not any(isinstance(value, str) for value in values)
    return None if is_range else values
