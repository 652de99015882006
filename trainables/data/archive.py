"""Data sets that come as one archive: fetched, verified by its published md5, and unpacked, whole or not at all."""

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
    """A published archive, and the one folder that it holds."""

    name: str
    folder: str
    md5: str
    size: int  # bytes
    mirrors: tuple[str, ...]


def unpack_archive(root: Path, archive: Archive) -> Path:
    """Put the archive's folder into the root, from ROOT/name where somebody laid it, else from a mirror."""
    path, folder = root / archive.name, root / archive.folder
    fetched = not os.path.isfile(path)  # Path.is_file raises where a folder may not be entered
    check = partial(verify_md5, md5=archive.md5)
    if fetched:
        fetch_file(archive.name, root, archive.mirrors, archive.size, check)
    else:
        check(path)
    try:
        with TemporaryDirectory(prefix=".unpack-", dir=root) as temporary:  # same disk: the rename is atomic
            # Links and devices are refused; a zip has none, and its paths are checked anyway.
            shutil.unpack_archive(path, temporary, filter=None if path.suffix == ".zip" else "data")
            (Path(temporary) / archive.folder).rename(folder)
    except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise UserError(f"{folder}: cannot be unpacked from {path} ({error}); is there an old folder?") from error
    if fetched:
        path.unlink()
    return folder


def verify_md5(path: Path, md5: str) -> None:
    """Raise UserError where a file is not the published one."""
    found = file_md5(path)
    if found != md5:
        raise UserError(f"{path}: altered: its md5 is {found}, expected {md5}")


def file_md5(path: Path) -> str:
    """The md5 of a file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
