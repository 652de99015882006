"""All tables and pictures of an experiment and its report page, written anew from its rows."""

from __future__ import annotations

from collections.abc import Iterable

import pandas

from results import experiment as experiments
from results import figures, markdown, records, students
from results.experiment import Experiment
from results.grids import Grid
from results.records import Folder
from results.report.page import page
from results.trackers import tensorboard


def rebuild(folder: Folder) -> Experiment:
    """Writes every result file and returns what they were made from; raises UserError where there is no experiment.

    TensorBoard's logs and the journal are brought up to date only when the search is done: until then they are the
    search's own.
    """
    experiment = experiments.load(folder)
    students.write(folder, experiment.students)
    records.replace(records.leaderboard_file(folder, "csv"), experiments.leaderboard(experiment).to_csv(index=False))
    records.replace(records.leaderboard_file(folder, "md"), markdown.leaderboard(experiment))
    records.replace(records.curves_file(folder), figures.draw_curves(figures.curves(experiment)))
    table = experiments.table(experiment)
    if table is not None:
        _write_table(experiment, table)
    if not experiment.running:
        _write_board(experiment)
        _write_journal(experiment)
    records.replace(records.report_file(folder), page(experiment))
    return experiment


def _write_table(experiment: Experiment, table: Grid) -> None:
    folder = experiment.folder
    records.replace(records.table_file(folder, "csv"), _long(table).to_csv(index=False))
    records.replace(records.table_file(folder, "md"), markdown.table(experiment, table))
    records.replace(records.heatmap_file(folder), figures.draw_heat(figures.heat(experiment, table)))


def _long(table: Grid) -> pandas.DataFrame:
    """One line per cell, numbers as fractions."""
    arrays = {
        **{"mean": table.mean, "std": table.std, "n": table.n, "val_mean": table.val_mean, "val_std": table.val_std},
        **{"best": table.best, "tied": table.tied, "baseline": table.alone},
    }
    lines = [
        {table.rows: row, table.columns: column} | {name: array[i, j] for name, array in arrays.items()}
        for i, row in enumerate(table.row_labels)
        for j, column in enumerate(table.column_labels)
    ]
    return pandas.DataFrame(lines, dtype=object)


def _write_board(experiment: Experiment) -> None:
    tensorboard.clear(experiment.folder)
    board = tensorboard.Board(experiment.folder, _domains(experiment.students))
    for student in students.histories(experiment.folder):
        _write_student(board, student, students.knobs(experiment.students))
    if records.heatmap_file(experiment.folder).exists() and experiment.space.table is not None:
        board.image("heatmap", records.heatmap_file(experiment.folder))
    board.close()


def _write_journal(experiment: Experiment) -> None:
    # here, because whoever only reads an experiment has no need of Optuna
    from results.trackers.optuna_journal import Journal

    Journal(experiment.folder, experiment.space).tell_all(students.histories(experiment.folder))


def _write_student(board: tensorboard.Board, student: students.History, knobs: list[str]) -> None:
    trial = student.start["trial"]
    start = {**student.start, "values": students.labels(student.start, knobs)}
    for epoch in student.epochs:
        board.epoch(trial, start, epoch)
    if student.end:
        board.end(trial, student.end["status"], student.end)


def _domains(rows: pandas.DataFrame) -> dict[str, list | None]:
    return {name: _values(rows[name].dropna()) for name in students.knobs(rows)}


def _values(column: Iterable, most: int = 50) -> list | None:
    """The values a knob took, or None for one of those that range over the numbers."""
    values = list(dict.fromkeys(column))
    return None if len(values) > most and not any(isinstance(value, str) for value in values) else values
