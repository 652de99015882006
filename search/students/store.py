"""Store of the rows, checkpoints and weights of students.

A worker reads and writes its students through a store, in one call for all students of a pack. On the driver's machine
the store is the experiment's folder. Workers of a cluster call the actor that owns this folder
(search/cluster/folder_actor.py), so they share no disk with the driver.

Decision: "A worker of a cluster writes through an actor of the driver's node" (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from results import paths, records
from results.records import Row
from results.students import History, history
from spaces import disk


class StudentChange(NamedTuple):
    """New rows of one student, and its new files."""

    key: str
    rows: list[Row]
    checkpoint: bytes | None = None  # None: the present one stays
    weights: bytes | None = None  # final weights
    drop_checkpoint: bool = False


class StudentStore(Protocol):
    """Place of the students of one experiment."""

    def histories(self, keys: Sequence[str]) -> list[History | None]:
        """Return the rows of each student; None without a first row."""

    def checkpoints(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the checkpoint of each student; None without one."""

    def write(self, changes: Sequence[StudentChange]) -> None:
        """Apply changes; return when they are on disk.

        Raises UserError if the disk is full.
        """


class FolderStore:
    """Students in an experiment's folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def histories(self, keys: Sequence[str]) -> list[History | None]:
        """Return the rows of each student; None without a first row."""
        return [history(self._folder, key) for key in keys]

    def checkpoints(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the checkpoint of each student; None without one."""
        files = [paths.checkpoint_file(self._folder, key) for key in keys]
        return [file.read_bytes() if file.exists() else None for file in files]

    def write(self, changes: Sequence[StudentChange]) -> None:
        """Apply changes; return when they are on disk.

        Weights are written before the final row and a row before its checkpoint. So a finished student has weights, and
        a worker that dies between a row and its checkpoint repeats that epoch.
        """
        for key, rows, checkpoint, weights, drop_checkpoint in changes:
            if weights is not None:
                disk.write_atomically(paths.weights_file(self._folder, key), weights)
            if rows:
                records.append_rows(self._folder, key, rows)
            if checkpoint is not None:
                disk.write_atomically(paths.checkpoint_file(self._folder, key), checkpoint)
            if drop_checkpoint:
                paths.checkpoint_file(self._folder, key).unlink(missing_ok=True)
