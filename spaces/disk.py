"""Paths of users, atomic writes, and partial files."""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path

from spaces.errors import UserError

DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
PATH_ERRORS = {
    *(errno.EROFS, errno.EACCES, errno.EPERM),  # may not be written
    *(errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG),  # a file in the way, or an impossible name
}
HOST_NAME = re.sub(r"[^\w-]", "-", socket.gethostname())
PARTIAL_FILE = re.compile(r"\..+\.(?P<host>[\w-]+)\.(?P<pid>\d+)\.\w+\.part")
OLD_PARTIAL_FILE = re.compile(r"\..+\.\d+")  # named by an earlier version
DAY_SECONDS = 86400.0


def expand_path(path: str | Path) -> Path:
    """Expand ~ in a path; raise UserError for an unknown user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path}: no such home folder") from None


def user_cache() -> Path:
    """Return this program's folder in the cache of the user.

    `$XDG_CACHE_HOME` replaces `~/.cache` if it is an absolute path.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "distil-search"


def file_version(path: Path) -> tuple[int, int]:
    """Return size (bytes) and time of the last change (ns) of a file.

    Raises OSError for a missing one.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def is_writable(folder: str | Path) -> bool:
    """Return True if files can be made in an existing folder."""
    return os.access(folder, os.W_OK | os.X_OK)


def holds_new_folders(folder: str | Path) -> bool:
    """Return True if a folder can be made in an existing one.

    One is made and removed. Permissions do not show it: /proc takes no folder from root either.
    """
    try:
        Path(tempfile.mkdtemp(dir=folder, prefix=".")).rmdir()
    except OSError:
        return False
    return True


def existing_file(name: str, in_folder: Sequence[str] = ()) -> Path:
    """Return the path of a file, with ~ expanded.

    Of a folder it is the first of the files `in_folder`. Raises UserError if it is missing.
    """
    path = expand_path(name)
    if in_folder and os.path.isdir(path):
        path = next((path / file for file in in_folder if os.path.isfile(path / file)), path)
        if os.path.isdir(path):
            raise UserError(f"{path}: a folder without weights, expected {' or '.join(in_folder)} in it")
    if not os.path.isfile(path):  # Path.is_file raises for a file in an unreadable folder
        raise UserError(f"{path}: no such file")
    return path


def write_atomically(path: str | os.PathLike[str], content: bytes | memoryview) -> None:
    """Write a file atomically.

    Readers see the old or the new content, never a part.

    Raises UserError if the disk is full or the path cannot be written.
    """
    with atomic_file(Path(path), len(content)) as file:
        file.write(content)


@contextmanager
def atomic_file(path: Path, size: int) -> Iterator[BufferedRandom]:
    """Open a temporary file, and replace `path` by it after the block.

    `size` is in bytes. After an error in the block the temporary file is removed, and `path` is unchanged.
    """
    with path_errors_as_user_errors(path), disk_full_as_user_error(path, size):
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name}.{HOST_NAME}.{os.getpid()}."
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".part")
        try:
            with open(descriptor, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)  # mkstemp makes files private
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def path_errors_as_user_errors(path: Path) -> Iterator[None]:
    """Turn the errors of a path, written in the block, into UserErrors."""
    try:
        yield
    except OSError as error:
        if error.errno not in PATH_ERRORS and not _cannot_be_made(path, error):
            raise
        reason = "a file is in the way" if error.errno == errno.EEXIST else os.strerror(error.errno or 0)
        raise UserError(f"{path}: cannot be written ({reason})") from None


def _cannot_be_made(path: Path, error: OSError) -> bool:
    """Return True if a path, its folder or a partial file beside it cannot be made, as in /proc."""
    if error.errno != errno.ENOENT or not error.filename:
        return False
    missing = Path(os.fsdecode(error.filename))
    return path.is_relative_to(missing) or missing.parent == path.parent


@contextmanager
def disk_full_as_user_error(path: Path, size: int | None = None) -> Iterator[None]:
    """Turn the error of a full disk into a UserError.

    `size` is the size of the file in bytes, if known.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL_ERRORS:
            raise
        needed = f"{size:,} bytes needed, " if size is not None else ""
        raise UserError(
            f"{path}: {os.strerror(error.errno or 0)}: {needed}{_free_bytes(path):,} free; "
            "free some space, then run the same command again"
        ) from None


def _free_bytes(path: Path) -> int:
    folder = next(parent for parent in path.absolute().parents if parent.is_dir())
    return shutil.disk_usage(folder).free


def remove_partial_files(folder: Path) -> list[Path]:
    """Remove the partial files of dead processes; return their paths.

    The partial files of another machine are removed after a day, since its processes cannot be seen from here.
    """
    paths = [path for path in sorted(folder.rglob(".*")) if path.is_file() and _is_abandoned(path)]
    for path in paths:
        path.unlink(missing_ok=True)
    return paths


def _is_abandoned(path: Path) -> bool:
    part = PARTIAL_FILE.fullmatch(path.name)
    if part and part["host"] == HOST_NAME:
        return not _is_alive(int(part["pid"]))
    return bool(part or OLD_PARTIAL_FILE.fullmatch(path.name)) and time.time() - path.lstat().st_mtime > DAY_SECONDS


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
