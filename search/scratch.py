"""Temporary folders of runs, of which none outlasts its run for long, even a killed one."""

from __future__ import annotations

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
    for lock in Path(tempfile.gettempdir()).glob(f"kd-*/{LOCK}"):
        _remove_if_left(lock)
    folder = Path(tempfile.mkdtemp(prefix="kd-"))  # short: Ray puts sockets in it, whose paths may have 107 characters
    try:
        with FileLock(folder / LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_if_left(lock: Path) -> None:
    with suppress(OSError, Timeout):  # it is somebody else's, or has just been removed
        if time.time() - lock.stat().st_mtime > NEW:
            with FileLock(lock, timeout=0):
                shutil.rmtree(lock.parent, ignore_errors=True)
