"""All result files of an experiment, written from its rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas

from results import markdown, paths, records, students
from results.compared_leaderboard import compared_leaderboard
from results.experiment import Experiment, load_experiment
from results.figures.drawing import PictureKind, draw_heatmap, draw_learning_curves
from results.figures.heatmaps import heatmap
from results.figures.learning_curves import configuration_curves
from results.grids import Grid
from results.leaderboard import sort_key
from results.paths import Folder
from results.report.page import report_page
from results.trackers.tensorboard import TensorBoardTracker, delete_logs
from results.verdict import experiment_verdict

PICTURE_KINDS: tuple[PictureKind, ...] = ("png", "pdf")
BASELINE_NOTE = "The students alone are listed as pruned trials, so that the best trial is a distilled student."
MAX_SELECTED = 40  # runs that TensorBoard selects at first sight
MAX_BEST = 30  # of them, distilled students
MAX_LISTED_NUMBERS = 50  # of a knob; with more, TensorBoard shows a range


def rebuild_results(folder: Folder) -> Experiment:
    """Write every result file and return the experiment.

    TensorBoard's logs and the journal are written only if the search is done: a running search writes them itself.
    Raises UserError if the folder holds no experiment.
    """
    experiment = load_experiment(folder)
    students.write_students(folder, experiment.students)
    records.write_file(paths.leaderboard_file(folder, "csv"), compared_leaderboard(experiment).to_csv(index=False))
    records.write_file(paths.leaderboard_file(folder, "md"), markdown.leaderboard_page(experiment))
    curves = configuration_curves(experiment, experiment.leaderboard())
    for kind in PICTURE_KINDS:
        records.write_file(paths.curves_file(folder, kind), draw_learning_curves(curves, kind))
    table = experiment.grid()
    if table is not None:
        _write_grid(experiment, table)
    if not experiment.running and not _is_logged(folder):
        _write_tensorboard(experiment)
        _write_journal(experiment)
        records.write_file(_log_state_file(folder), _rows_state(folder))
    records.write_file(paths.report_file(folder), report_page(experiment))
    return experiment


def _write_grid(experiment: Experiment, table: Grid) -> None:
    folder = experiment.folder
    records.write_file(paths.table_file(folder, "csv"), _cells_as_rows(table).to_csv(index=False))
    records.write_file(paths.table_file(folder, "md"), markdown.grid_page(experiment, table))
    for kind in PICTURE_KINDS:
        records.write_file(paths.heatmap_file(folder, kind), draw_heatmap(heatmap(experiment, table), kind))


def _cells_as_rows(table: Grid) -> pandas.DataFrame:
    """Return one row per cell, numbers as fractions."""
    arrays = {
        **{"mean": table.mean, "std": table.std, "n": table.n, "asked": table.asked},
        **{"val_mean": table.val_mean, "val_std": table.val_std},
        **{"best": table.is_best, "tied": table.is_tied, "baseline": table.is_baseline},
    }
    lines = [
        {table.rows: row, table.columns: column} | {name: array[i, j] for name, array in arrays.items()}
        for i, row in enumerate(table.row_labels)
        for j, column in enumerate(table.column_labels)
    ]
    return pandas.DataFrame(lines, dtype=object)


def _log_state_file(folder: Folder) -> Path:
    return paths.tensorboard_folder(folder) / "rows.sha256"


def _rows_state(folder: Folder) -> str:
    """Return a digest of the files of rows and of the space.

    It covers their sizes and times.
    """
    files = [paths.space_file(folder), *(paths.rows_file(folder, trial) for trial in records.trial_names(folder))]
    states = [(file.parent.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(states).encode()).hexdigest()


def _is_logged(folder: Folder) -> bool:
    """True if TensorBoard's logs and the journal have the present rows."""
    state = _log_state_file(folder)
    return state.exists() and paths.journal_file(folder).exists() and state.read_text() == _rows_state(folder)


def _write_tensorboard(experiment: Experiment) -> None:
    """Write the logs of all students.

    TensorBoard selects no run if there are more than MAX_SELECTED: then the best have a folder of their own.
    """
    folder, past = experiment.folder, list(students.histories(experiment.folder))
    _write_logs(experiment, paths.tensorboard_folder(folder), past)
    if len(past) > MAX_SELECTED:
        references = experiment.students["stage"] == "baseline"
        ranked = experiment.students.assign(score=sort_key(experiment.students, experiment.metric))
        best = ranked[(ranked["status"] == "finished") & ~references].nsmallest(MAX_BEST, "score")
        shown = {*best["trial"], *experiment.students["trial"][references][: MAX_SELECTED - MAX_BEST - 1]}
        selected = [student for student in past if student.start["trial"] in shown]
        _write_logs(experiment, paths.best_tensorboard_folder(folder), selected)


def _write_logs(experiment: Experiment, logs: Path, shown: Sequence[students.History]) -> None:
    delete_logs(logs)
    tracker = TensorBoardTracker(experiment.folder, _knob_labels(experiment.students), logs=logs)
    for student in shown:
        tracker.update(student)
    if paths.heatmap_file(experiment.folder).exists() and experiment.space.table is not None:
        tracker.add_image("heatmap", paths.heatmap_file(experiment.folder))
    tracker.close([], done=True)


def _write_journal(experiment: Experiment) -> None:
    from results.trackers.optuna_journal import JournalTracker  # here: Optuna takes a second to import

    journal, verdict = JournalTracker(experiment.folder, experiment.space), experiment_verdict(experiment)
    journal.update_all(students.histories(experiment.folder))
    journal.write_note("\n\n".join([verdict.sentence, *verdict.details, BASELINE_NOTE]))


def _knob_labels(rows: pandas.DataFrame) -> dict[str, list | None]:
    return {name: _distinct_labels(rows[name].dropna()) for name in students.knob_columns(rows)}


def _distinct_labels(column: Iterable) -> list | None:
    """Return the distinct values of a knob, None for many numbers."""
    values = list(dict.fromkeys(column))
    is_range = len(values) > MAX_LISTED_NUMBERS and not any(isinstance(value, str) for value in values)
    return None if is_range else values
