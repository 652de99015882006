"""Archives of data sets: downloaded, verified by their published MD5, and unpacked."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import zipfile
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from spaces.errors import UserError
from trainables.data.download import fetch_file


class Archive(NamedTuple):
    """A published archive with a single folder in it."""

    name: str
    folder: str
    md5: str
    bytes: int
    mirrors: tuple[str, ...]


def unpack_archive(root: Path, archive: Archive) -> Path:
    """Unpack the archive's folder into the root.

    Uses ROOT/name if the user put it there; otherwise it is downloaded and deleted afterwards.
    """
    path, folder = root / archive.name, root / archive.folder
    downloaded = not os.path.isfile(path)  # Path.is_file raises for a file in an unreadable folder
    verify = partial(verify_md5, md5=archive.md5)
    if downloaded:
        fetch_file(archive.name, root, archive.mirrors, archive.bytes, verify)
    else:
        verify(path)
    try:
        with TemporaryDirectory(prefix=".unpack-", dir=root) as temporary:  # same disk: the rename is atomic
            # Links and devices are refused. A zip has none, and zipfile checks its paths.
            shutil.unpack_archive(path, temporary, filter=None if path.suffix == ".zip" else "data")
            (Path(temporary) / archive.folder).rename(folder)
    except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise UserError(f"{folder}: cannot be unpacked from {path} ({error}); is there an old folder?") from error
    if downloaded:
        path.unlink()
    return folder


def verify_md5(path: Path, md5: str) -> None:
    """Raise UserError for a file with another MD5."""
    actual = file_md5(path)
    if actual != md5:
        raise UserError(f"{path}: altered: its md5 is {actual}, expected {md5}")


def file_md5(path: Path) -> str:
    """Return the MD5 of a file, 32 hex digits."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
