"""Files that appear whole or not at all; what a killed process left half-written is swept away later."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spaces.errors import UserError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
HOST = re.sub(r"[^\w-]", "-", socket.gethostname())
PART = re.compile(r"\..+\.(?P<host>[\w-]+)\.(?P<pid>\d+)\.\w+\.part")
OLD_PART = re.compile(r"\..+\.\d+")  # as an earlier version named them
DAY = 86400.0  # seconds


def replace(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a whole file so that a reader sees the old or the new one, never a part; a full disk is a UserError."""
    path = Path(path)
    with room(path, len(content)):
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name}.{HOST}.{os.getpid()}."
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".part")
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)  # mkstemp makes files private
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def room(path: Path, need: int | None = None) -> Iterator[None]:
    """Turn the error of a full disk into a UserError that names the file and, where known, the bytes that it needs."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        needed = f"{need:,} bytes needed, " if need is not None else ""
        raise UserError(
            f"{path}: {os.strerror(error.errno or 0)}: {needed}{_free(path):,} free; "
            "make room there, then run the same command again"
        ) from None


def _free(path: Path) -> int:
    folder = next(each for each in path.absolute().parents if each.is_dir())
    return shutil.disk_usage(folder).free


def sweep(folder: Path) -> list[Path]:
    """Remove what processes that are dead by now left half-written under a folder; return what was removed.

    Whether a process of another machine is alive cannot be seen from here: what it left is removed after a day.
    """
    left = [path for path in sorted(folder.rglob(".*")) if path.is_file() and _abandoned(path)]
    for path in left:
        path.unlink(missing_ok=True)
    return left


def _abandoned(path: Path) -> bool:
    part = PART.fullmatch(path.name)
    if part and part["host"] == HOST:
        return not _alive(int(part["pid"]))
    return bool(part or OLD_PART.fullmatch(path.name)) and time.time() - path.lstat().st_mtime > DAY


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
