"""Temporary folders of runs, each removed when its run ends or, where that was killed, by the next run."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = "alive.lock"  # held as long as its run lives
NEW = 60.0  # seconds in which whoever has just made a folder has locked it


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder for this block alone; those of runs that were killed are removed first."""
    prefix = _prefix()
    for lock in Path(tempfile.gettempdir()).glob(f"{prefix}*/{LOCK}"):
        _remove_if_left(lock)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        with FileLock(folder / LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prefix() -> str:
    """Of this machine alone, for others may share the folder but not the locks.

    Short, because Ray puts sockets in it, whose paths may have 107 characters.
    """
    return f"kd-{hashlib.sha256(platform.node().encode()).hexdigest()[:4]}-"


def _remove_if_left(lock: Path) -> None:
    with suppress(OSError, Timeout):  # it has just been removed, or its run lives
        mine = lock.parent.lstat().st_uid == os.getuid() and not lock.is_symlink()
        if mine and time.time() - lock.stat().st_mtime > NEW:
            with FileLock(lock, timeout=0):
                for path in set(lock.parent.iterdir()) - {lock}:
                    _remove(path)  # the lock is last, for what Ray's processes still write to is left to the next run
                shutil.rmtree(lock.parent, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
