"""A folder that appears whole or not at all, and replaces nothing but its own kind."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from spaces.errors import UserError


def refuse(target: Path, files: Collection[str], extras: Collection[str]) -> None:
    """Raise UserError where a folder holds anything but these files, all of them, beside extras; or folders of such."""
    if not target.exists():
        return
    if not target.is_dir():
        raise UserError(f"{target}: a file; expected a folder, which may be new")
    strange = _strange(target, set(files), set(extras))
    if strange:
        raise UserError(f"{target}: not replaced, because it is no earlier export: {strange}; name another by --to")


def _strange(folder: Path, files: set[str], extras: set[str]) -> str:
    """Why a folder is none of ours, or nothing."""
    names = {path.name for path in folder.iterdir()}
    if names and all(name.isdecimal() and (folder / name).is_dir() for name in names):
        return next(filter(None, (_strange(folder / name, files, extras) for name in sorted(names))), "")
    if unknown := sorted(names - files - extras):
        return f"{folder / unknown[0]} is in it"
    missing = sorted(files - names)
    return f"it has no {missing[0]}" if names and missing else ""


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Give an empty folder to write into: at the end it takes the place of `target`, after an error it is deleted."""
    target.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        draft = room / "new"  # mkdtemp makes its folder private; this one is as open as any
        draft.mkdir()
        yield draft
        _swap(draft, target, room / "old")
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _swap(draft: Path, target: Path, old: Path) -> None:
    if target.exists():
        target.rename(old)
    try:
        draft.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
