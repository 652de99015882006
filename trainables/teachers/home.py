"""Home of cached teachers.

On a single machine it is the cache folder itself. On a cluster it is the cache of the driver's machine
(search/cluster/folder_actor.py): the machine that trains a teacher first fetches what the home has, and publishes what
it adds, so another machine goes on after a failure, and the next search finds the teacher.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from spaces.errors import UserError

WEIGHTS = "weights.safetensors"  # of a teacher; written last, so a folder with this file is complete


class CacheHome:
    """Cache folder of this machine as the home of its teachers."""

    is_single_machine = True  # students can map the files of the home

    @contextmanager
    def locked(self, folder: Path, timeout: float = -1) -> Iterator[None]:
        """Hold the lock of one teacher.

        Of several processes that need the same teacher, one trains it and the others wait. Raises filelock.Timeout
        after some seconds, unless negative.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "lock").touch()
        except OSError as error:
            where = f"{folder.parent}: cannot keep teachers there ({error.strerror})"
            raise UserError(f"{where}; choose another folder by KD_CACHE=DIR") from None
        with FileLock(folder / "lock", timeout=timeout):
            yield

    def fetch(self, folder: Path) -> None:
        """Copy a teacher's folder from the home, if present."""

    def publish(self, folder: Path) -> None:
        """Make the home's folder equal to a teacher's folder."""
