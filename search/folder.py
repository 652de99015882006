"""Folder of an experiment: lock, refusal of changes, move aside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from results import paths, records
from search.environment import weight_digests
from spaces.errors import UserError
from spaces.extend import changed_keys
from spaces.space import Space, load_recorded_space
from trainables.data import Dataset


def experiment_folder(out: str | Path | None, name: str, smoke_test: bool) -> Path:
    """Return the absolute path of --out or runs/NAME.

    Raises UserError for a file.
    """
    folder = Path(out or Path("runs") / (name + (".smoke" if smoke_test else ""))).absolute()
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {folder}: a file; expected a folder, or a name for a new one")
    return folder


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


def refuse_changes(space: Space, data: Dataset, folder: Path, plugins: dict[str, str]) -> None:
    """Raise UserError if a folder holds a different experiment.

    Added seeds, choices and trials extend an experiment; any other change makes a different one.
    """
    if not paths.space_file(folder).is_file():
        return
    changed = changed_keys(load_recorded_space(paths.space_file(folder)), space)
    environment = records.read_environment(folder)
    if environment.get("plugins", plugins) != plugins:
        changed.append("--plugin")
    if not set(environment.get("weights", ())) <= set(weight_digests(space, data)):
        changed.append("the files of student.model.weights")
    if changed:
        raise UserError(
            f"{folder} was run with other values of {', '.join(changed)}; only more seeds, choices or trials extend "
            "an experiment. Run with --fresh (moves the old folder aside) or --out to keep both."
        )
