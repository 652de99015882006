"""Folder of an experiment: lock, refusal of changes, move aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from results import paths
from search.identity import START_ANOTHER, identity_differences, recorded_identity
from spaces.errors import UserError
from spaces.extend import changed_keys
from spaces.space import Space, load_recorded_space


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Lock a folder for this run.

    Raises UserError while another run has it locked.
    """
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise UserError(f"{folder}: in use by another run; wait for its end, or choose another --out") from None


def move_aside(folder: Path) -> Path | None:
    """Rename a folder to FOLDER.DATE-TIME; return the new path.

    Return None for a missing folder. Raises UserError while another run has it locked.
    """
    if not folder.exists():
        return None
    aside = folder.with_name(f"{folder.name}.{datetime.now():%Y%m%d-%H%M%S}")
    with locked_folder(folder):
        folder.rename(aside)
    return aside


def refuse_changes(space: Space, identity: Mapping[str, Any], folder: Path) -> None:
    """Raise UserError if a folder holds a different experiment.

    Added seeds, choices and trials extend an experiment; any other change makes a different one, and so does another
    identity (`search.identity`).
    """
    if not paths.space_file(folder).is_file():
        return
    reasons = list(identity_differences(recorded_identity(folder), identity))
    if changed := changed_keys(load_recorded_space(paths.space_file(folder)), space):
        keys = f"it was run with other values of {', '.join(changed)}"
        reasons = [f"{keys}; only more seeds, choices or trials extend an experiment", *reasons]
    if reasons:
        raise UserError(f"{folder}: {'; '.join(reasons)}; {START_ANOTHER}")
