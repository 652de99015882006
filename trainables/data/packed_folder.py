"""A zip or tar of images, unpacked once into `$KD_CACHE/unpacked/KEY`."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

from spaces.errors import UserError
from trainables.data.file_identity import file_identity
from trainables.data.image_list import PART_NAMES
from trainables.data.locations import cache_folder
from trainables.data.text_files import is_directory, list_folder

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
FOREIGN_FOLDERS = ("__MACOSX",)  # written by another system's archiver


def is_archive(path: Path) -> bool:
    """Return True for the name of a zip or tar."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def unpack_folder(archive: Path) -> Path:
    """Unpack an archive, unless cached; return its folder of images.

    A folder that holds only one other folder is passed over.
    """
    folder = cache_folder() / "unpacked" / file_identity(archive.parent, archive.name)[0].hex()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _unpack(archive, folder)
    except (
        OSError,
        ValueError,
        RuntimeError,
        NotImplementedError,
        EOFError,
        tarfile.TarError,
        zipfile.BadZipFile,
    ) as error:
        raise UserError(f"{archive}: cannot be unpacked ({error})") from error
    return _inner_folder(folder)


def _unpack(archive: Path, folder: Path) -> None:
    size, free = _unpacked_bytes(archive), shutil.disk_usage(folder.parent).free
    if size > free:
        raise OSError(f"{size:,} bytes needed in {folder.parent}, {free:,} free")
    with TemporaryDirectory(prefix=".unpack-", dir=folder.parent) as temporary:  # same disk: the rename is atomic
        # Links and devices are refused. A zip has none, and zipfile checks its paths.
        is_zip = archive.suffix.lower() == ".zip"
        shutil.unpack_archive(archive, temporary, "zip" if is_zip else None, filter=None if is_zip else "data")
        for name in FOREIGN_FOLDERS:
            shutil.rmtree(Path(temporary) / name, ignore_errors=True)
        content = Path(temporary) / "content"
        content.mkdir()
        for path in Path(temporary).iterdir():
            if path != content:
                path.rename(content / path.name)
        content.rename(folder)


def _unpacked_bytes(archive: Path) -> int:
    """Return the size of the unpacked files by the archive's own headers."""
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as file:
            return sum(member.file_size for member in file.infolist())
    with tarfile.open(archive) as file:
        return sum(member.size for member in file)


def _inner_folder(folder: Path) -> Path:
    entries = list_folder(folder)
    if len(entries) == 1 and is_directory(entries[0]) and entries[0].name.lower() not in PART_NAMES:
        return _inner_folder(folder / entries[0].name)
    return folder
