"""Paths of all files in an experiment folder.

space.yaml, environment.json, identity.json, transfer.json, teachers/<key>.json
plugins/<name>, trials/<id>/epochs.jsonl, trials/<id>/student.safetensors, trials/<id>/checkpoint.safetensors
students.csv, leaderboard.csv/.md, table.csv/.md, heatmap.png/.pdf, curves.png/.pdf, report.html
tensorboard/, tensorboard_best/, optuna.journal
"""

from __future__ import annotations

import os
from pathlib import Path

Folder = str | os.PathLike[str]


def space_file(folder: Folder) -> Path:
    """Return the file of the space as run."""
    return Path(folder) / "space.yaml"


def environment_file(folder: Folder) -> Path:
    """Return environment.json: data, device, versions, precision, loss."""
    return Path(folder) / "environment.json"


def plugin_file(folder: Folder, name: str) -> Path:
    """Return a plugin, or a file beside it, as the experiment used it."""
    return Path(folder) / "plugins" / name


def identity_file(folder: Folder) -> Path:
    """Return identity.json: digests of everything that decides the results."""
    return Path(folder) / "identity.json"


def transfer_file(folder: Folder) -> Path:
    """Return transfer.json: students of earlier experiments in the study."""
    return Path(folder) / "transfer.json"


def teacher_file(folder: Folder, key: str) -> Path:
    """Return the record of one teacher."""
    return Path(folder) / "teachers" / f"{key}.json"


def trial_folder(folder: Folder, trial: str) -> Path:
    """Return the folder of one student."""
    return Path(folder) / "trials" / trial


def rows_file(folder: Folder, trial: str) -> Path:
    """Return the rows of one student."""
    return trial_folder(folder, trial) / "epochs.jsonl"


def weights_file(folder: Folder, trial: str) -> Path:
    """Return the final weights of one student."""
    return trial_folder(folder, trial) / "student.safetensors"


def checkpoint_file(folder: Folder, trial: str) -> Path:
    """Return the checkpoint of a student in training."""
    return trial_folder(folder, trial) / "checkpoint.safetensors"


def tensorboard_folder(folder: Folder) -> Path:
    """Return the log directory of TensorBoard."""
    return Path(folder) / "tensorboard"


def best_tensorboard_folder(folder: Folder) -> Path:
    """Return the log directory of the best of many students."""
    return Path(folder) / "tensorboard_best"


def students_file(folder: Folder) -> Path:
    """Return the CSV file with one line per student."""
    return Path(folder) / "students.csv"


def leaderboard_file(folder: Folder, kind: str) -> Path:
    """Return the leaderboard; `kind` is csv or md."""
    return Path(folder) / f"leaderboard.{kind}"


def table_file(folder: Folder, kind: str) -> Path:
    """Return the table of two knobs; `kind` is csv or md."""
    return Path(folder) / f"table.{kind}"


def heatmap_file(folder: Folder, kind: str = "png") -> Path:
    """Return the picture of the table; `kind` is png or pdf."""
    return Path(folder) / f"heatmap.{kind}"


def curves_file(folder: Folder, kind: str = "png") -> Path:
    """Return the picture of the learning curves; `kind` is png or pdf."""
    return Path(folder) / f"curves.{kind}"


def report_file(folder: Folder) -> Path:
    """Return the report page."""
    return Path(folder) / "report.html"


def journal_file(folder: Folder) -> Path:
    """Return the journal for optuna-dashboard."""
    return Path(folder) / "optuna.journal"
