"""Many image files as one array: decoded once, by all processors, kept on disk, and from then on only mapped."""

from __future__ import annotations

import hashlib
import logging
import math
import os
import stat
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import PIL
from filelock import FileLock
from PIL import Image

from spaces import disk
from spaces.errors import UserError
from trainables.data import images
from trainables.data.progress import counted
from trainables.data.root import kept

VERSION = 1  # raised whenever `images.read` comes to give other pixels: older caches are then left alone
SMALL = 2**22  # bytes of files; so few are decoded sooner than a cache of them is worth
CHUNK = 256  # images that are decoded ahead of what is written
LOG = logging.getLogger(__name__)


def decoded(base: Path, names: Sequence[str], side: int, expected: int | None = None) -> np.ndarray:
    """The images BASE/name in this order, uint8 [n, 3, side, side], read-only where they are mapped; see `images.read`.

    However many processes ask at once, one decodes and the others wait for it.
    """
    known = [_status(base / name) for name in names]
    shape = (len(names), 3, side, side)
    decoding = _decoded([base / name for name in names], side, expected)
    if max(sum(each.st_size for each in known), math.prod(shape) // 8) < SMALL:
        return np.stack(list(decoding))
    path = kept() / "images" / f"{_key(names, known, side, expected)}.npy"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not _whole(path):
                _write(path, shape, decoding)
        return np.asarray(np.lib.format.open_memmap(path, mode="r"))
    except OSError as error:
        raise UserError(
            f"{path.parent}: cannot keep decoded images there ({error}); KD_CACHE names a folder"
        ) from error


def _status(path: Path) -> os.stat_result:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # ValueError for a name that holds a zero byte
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{path}: no ordinary file, expected an image")
    return found


def _key(names: Sequence[str], known: Sequence[os.stat_result], side: int, expected: int | None) -> str:
    """32 hex digits of what the pixels depend on; not of where the folder lies.

    The time of the last change of status tells files apart that were unpacked with one name, size and date.
    """
    digest = hashlib.blake2b(f"{VERSION}/{PIL.__version__}/{side}/{expected}".encode(), digest_size=16)
    for name, each in zip(names, known, strict=True):
        digest.update(os.fsencode(f"\0{name}\0{each.st_size}/{each.st_mtime_ns}/{each.st_ctime_ns}"))
    return digest.hexdigest()


def _decoded(paths: Sequence[Path], side: int, expected: int | None) -> Iterator[np.ndarray]:
    """The images one after another, decoded in threads, for Pillow's decoders run beside each other."""
    read = partial(images.read, side=side, expected=expected)
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")  # odd metadata does not hurt
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        chunks = (paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK))
        found = (image for chunk in chunks for image in pool.map(read, chunk))
        yield from counted(found, len(paths), "decoding images")


def _whole(path: Path) -> bool:
    """Whether this is, to the last bit, what `_write` wrote; damage is said."""
    if not os.path.lexists(path):
        return False
    try:
        if path.with_suffix(".sum").read_text(encoding="ascii") == _sum(path):
            return True
    except (OSError, ValueError):
        pass
    LOG.warning("%s: damaged; its images are decoded again", path)
    return False


def _write(path: Path, shape: tuple[int, ...], found: Iterator[np.ndarray]) -> None:
    """Write one .npy file image by image; ordinary writes, as a full disk kills whoever writes to mapped memory."""
    part = path.with_suffix(".part")
    try:
        with disk.room(path, math.prod(shape)), part.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for image in found:
                file.write(image.data)
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(".sum").write_text(_sum(part), encoding="ascii")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
