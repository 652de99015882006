"""Identities of files: name, size and times, without reading them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from trainables.data.image_file import UnreadableImageError

IDENTITY_BYTES = 16


def file_identity(base: Path, name: str) -> tuple[bytes, int]:
    """Return the identity of the file BASE/name, and its size in bytes.

    The path of the base does not matter. The change time (ctime) distinguishes files unpacked with the same name, size
    and date. Raises UnreadableImageError for anything but a regular file.
    """
    try:
        status = (base / name).stat()
    except (OSError, ValueError) as error:  # ValueError for a name that holds a zero byte
        raise UnreadableImageError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableImageError("not a regular file, expected an image")
    text = f"\0{status.st_size}/{status.st_mtime_ns}/{status.st_ctime_ns}"
    return hashlib.blake2b(os.fsencode(name + text), digest_size=IDENTITY_BYTES).digest(), status.st_size


def combined_key(version: str, identities: Iterable[bytes]) -> str:
    """Hash a version and identities, in their order, to 32 hex digits."""
    digest = hashlib.blake2b(version.encode(), digest_size=16)
    for identity in identities:
        digest.update(identity)
    return digest.hexdigest()
