"""Atomic creation of a folder, replacing only an earlier export."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from spaces import disk
from spaces.errors import UserError

BYTECODE = "__pycache__"  # Python writes it where a script has imported read_image.py


def refuse_other_files(target: Path, files: Collection[str], extras: Collection[str]) -> None:
    """Raise UserError if `target` is neither absent, empty nor an earlier export.

    An export holds all `files` and maybe `extras`, or consists of numbered folders of this kind.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise UserError(f"{target}: a file; expected a folder, existing or new")
    reason = _why_not_export(target, set(files), set(extras))
    if reason:
        raise UserError(
            f"{target}: not replaced, because it is no earlier export: {reason}; choose another folder with --to"
        )


def _why_not_export(folder: Path, files: set[str], extras: set[str]) -> str:
    """Return a reason, or an empty string for an export."""
    names = {path.name for path in folder.iterdir()} - {BYTECODE}
    if names and all(name.isdecimal() and (folder / name).is_dir() for name in names):
        return next(filter(None, (_why_not_export(folder / name, files, extras) for name in sorted(names))), "")
    if unknown := sorted(names - files - extras):
        return f"it contains {folder / unknown[0]}"
    missing = sorted(files - names)
    return f"it has no {missing[0]}" if names and missing else ""


@contextmanager
def staged_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder to replace `target` at the end.

    After an error it is deleted and `target` stays as it was.
    """
    with disk.path_errors_as_user_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        draft = scratch / "new"  # mkdtemp makes its folder private; a sub-folder has the usual permissions
        draft.mkdir()
        yield draft
        _swap(draft, target, scratch / "old")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _swap(draft: Path, target: Path, old: Path) -> None:
    if target.exists():
        target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
