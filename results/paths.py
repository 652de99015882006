"""Paths of all files in an experiment folder.

space.yaml, environment.json, teachers/<key>.json
trials/<id>/epochs.jsonl, trials/<id>/student.safetensors, trials/<id>/checkpoint.safetensors
students.csv, leaderboard.csv/.md, table.csv/.md, heatmap.png, curves.png, report.html, tensorboard/, optuna.journal
"""

from __future__ import annotations

import os
from pathlib import Path

Folder = str | os.PathLike[str]


def space_file(folder: Folder) -> Path:
    """The space as run."""
    return Path(folder) / "space.yaml"


def environment_file(folder: Folder) -> Path:
    """What the experiment stands on: data, device, versions, precision, the loss."""
    return Path(folder) / "environment.json"


def teacher_file(folder: Folder, key: str) -> Path:
    """The record of one teacher."""
    return Path(folder) / "teachers" / f"{key}.json"


def trial_folder(folder: Folder, trial: str) -> Path:
    """Everything that belongs to one student."""
    return Path(folder) / "trials" / trial


def rows_file(folder: Folder, trial: str) -> Path:
    """The rows of one student."""
    return trial_folder(folder, trial) / "epochs.jsonl"


def weights_file(folder: Folder, trial: str) -> Path:
    """The final weights of one student."""
    return trial_folder(folder, trial) / "student.safetensors"


def checkpoint_file(folder: Folder, trial: str) -> Path:
    """Where one student goes on from while it is being trained."""
    return trial_folder(folder, trial) / "checkpoint.safetensors"


def tensorboard_folder(folder: Folder) -> Path:
    """The log directory to give to TensorBoard."""
    return Path(folder) / "tensorboard"


def students_file(folder: Folder) -> Path:
    """One line per student."""
    return Path(folder) / "students.csv"


def leaderboard_file(folder: Folder, kind: str) -> Path:
    """One line per configuration; `kind` is csv or md."""
    return Path(folder) / f"leaderboard.{kind}"


def table_file(folder: Folder, kind: str) -> Path:
    """The table of two knobs; `kind` is csv or md."""
    return Path(folder) / f"table.{kind}"


def heatmap_file(folder: Folder) -> Path:
    """The table as a picture."""
    return Path(folder) / "heatmap.png"


def curves_file(folder: Folder) -> Path:
    """Validation accuracy against epochs as a picture."""
    return Path(folder) / "curves.png"


def report_file(folder: Folder) -> Path:
    """Everything above on one page, to be opened in a browser."""
    return Path(folder) / "report.html"


def journal_file(folder: Folder) -> Path:
    """The students as a study, to be opened by optuna-dashboard."""
    return Path(folder) / "optuna.journal"
