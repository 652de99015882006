"""Temporary folders, one per run.

A folder is removed when its run ends, or by the next run if its own was killed. Otherwise killed runs would fill the
disk with Ray's logs and sockets.
"""

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

from spaces.errors import UserError

LOCK_NAME = "alive.lock"  # locked while the run lives
# Ray's longest path in its temporary folder is session_DATE_TIME_MICROSECONDS_PID/sockets/plasma_store, and a socket's
# path has at most 107 characters.
LONGEST_FOLDER = 107 - len("/session_2026-11-30_08-00-00_123456_1234567/sockets/plasma_store")
SHORT_ROOTS = ("/tmp", "/var/tmp")  # in place of a TMPDIR that is too long
LOCKING_SECONDS = 60.0  # after which a new folder is certainly locked by its run


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a temporary folder for this block; remove old ones."""
    prefix, root = _host_prefix(), _temporary_root()
    for lock in Path(root).glob(f"{prefix}*/{LOCK_NAME}"):
        _remove_if_abandoned(lock)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
    try:
        with FileLock(folder / LOCK_NAME):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _temporary_root() -> str:
    """Return $TMPDIR, or a shorter folder if Ray's sockets do not fit.

    Raises UserError if no shorter one can be written.
    """
    roots = [tempfile.gettempdir(), *SHORT_ROOTS]
    longest = LONGEST_FOLDER - len(f"/{_host_prefix()}12345678")
    usable = (root for root in roots if len(root) <= longest and Path(root).is_dir() and os.access(root, os.W_OK))
    if root := next(usable, None):
        return root
    raise UserError(
        f"TMPDIR={roots[0]}: {len(roots[0])} characters, but Ray's sockets fit into at most {longest}; set TMPDIR to a "
        "shorter folder"
    )


def _host_prefix() -> str:
    """Return the prefix of this machine's folders.

    Machines may share the disk, but not its locks.
    """
    return f"kd-{hashlib.sha256(platform.node().encode()).hexdigest()[:4]}-"


def _remove_if_abandoned(lock: Path) -> None:
    with suppress(OSError, Timeout):  # already removed, or in use
        is_own = lock.parent.lstat().st_uid == os.getuid() and not lock.is_symlink()
        if is_own and time.time() - lock.stat().st_mtime > LOCKING_SECONDS:
            with FileLock(lock, timeout=0):
                for path in set(lock.parent.iterdir()) - {lock}:
                    _remove_path(path)  # the lock goes last: if Ray still writes here, the next run removes the rest
                shutil.rmtree(lock.parent, ignore_errors=True)


def _remove_path(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
