"""Size limit of the cached images: `$KD_CACHE_GB`, 50 by default.

The arrays used least recently are removed, but none that a process holds.
"""

from __future__ import annotations

import fcntl
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from spaces.errors import UserError
from trainables.data.cached_rows import ROWS_SUFFIX, identities_file

DEFAULT_GB = 50.0
BYTES_PER_GB = 10**9

_held_files: dict[Path, int] = {}  # descriptors by array, open until the process ends


class CachedArray(NamedTuple):
    """A cached image array."""

    path: Path
    bytes: int
    used: float  # Unix time of the last use


def hold_file(path: Path) -> None:
    """Protect an array from removal until this process ends."""
    with suppress(OSError):  # a read-only folder, a file system without locks
        os.utime(path)
        if (earlier := _held_files.pop(path, None)) is not None:  # maybe of a damaged array, now replaced
            os.close(earlier)
        _held_files[path] = os.open(path, os.O_RDONLY)
        fcntl.flock(_held_files[path], fcntl.LOCK_SH | fcntl.LOCK_NB)


def limit_images(folder: Path) -> None:
    """Remove arrays until the rest is within the limit."""
    arrays = list(image_arrays(folder))
    surplus = sum(array.bytes for array in arrays) - limit_bytes()
    if surplus > 0:
        remove_arrays(sorted(arrays, key=lambda array: array.used), surplus)


def limit_bytes() -> float:
    """Return the size limit of the cached images in bytes."""
    text = os.environ.get("KD_CACHE_GB", "")
    try:
        limit = float(text or DEFAULT_GB)
    except ValueError:
        limit = math.nan
    if not limit >= 0:
        raise UserError(f"KD_CACHE_GB: found {text}, expected the gigabytes of cached images, such as {DEFAULT_GB:g}")
    return limit * BYTES_PER_GB


def image_arrays(folder: Path) -> Iterator[CachedArray]:
    """Yield the image arrays of a folder."""
    for path in sorted(folder.glob("*.npy")):
        if not path.name.endswith(ROWS_SUFFIX):
            with suppress(FileNotFoundError):
                status = path.stat()
                yield CachedArray(path, status.st_size, status.st_mtime)


def remove_arrays(arrays: Iterable[CachedArray], surplus: float = math.inf) -> list[CachedArray]:
    """Remove arrays in this order until `surplus` bytes are free; return them.

    Arrays in use stay.
    """
    removed: list[CachedArray] = []
    for array in arrays:
        if surplus <= 0:
            break
        if not _is_held(array.path):
            for path in (identities_file(array.path), array.path, array.path.with_suffix(".lock")):
                path.unlink(missing_ok=True)
            surplus -= array.bytes
            removed.append(array)
    return removed


def _is_held(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
