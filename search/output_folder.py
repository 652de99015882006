"""Choice of an experiment's folder, before anything is written."""

from __future__ import annotations

from pathlib import Path

from results.remote.uri import clean_uri, is_uri, mirrored_folder
from spaces import disk
from spaces.errors import UserError


def experiment_folder(out: str | Path | None, name: str, smoke_test: bool) -> Path:
    """Return the absolute path of --out or runs/NAME.

    For a URI it is the folder that is mirrored to it (search/mirror/). Raises UserError for a file, and for a path that
    no folder can have.
    """
    if out and is_uri(out):
        return mirrored_folder(clean_uri(out))
    folder = Path(out or Path("runs") / (name + (".smoke" if smoke_test else ""))).absolute()
    try:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"--out {folder}: a file; expected a folder, or a name for a new one")
    except OSError as error:  # such as a name of 300 characters
        raise UserError(f"--out {folder}: {error.strerror}; choose another folder") from None
    return folder


def require_writable(folder: Path) -> None:
    """Raise UserError if a folder cannot be made or written."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        raise UserError(f"--out {folder}: {existing} is a file; choose another folder")
    if not disk.is_writable(existing) or (existing != folder and not disk.holds_new_folders(existing)):
        raise UserError(f"--out {folder}: {existing} cannot be written; choose another folder")
