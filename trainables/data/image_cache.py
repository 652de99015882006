"""Decoded images of a data set as one cached array.

The array of a data set with many or large images is kept in `$KD_CACHE/images/KEY.npy` and mapped from there. The key
covers the files' names, sizes and times, the size of the images, and the versions of the decoders.
"""

from __future__ import annotations

import hashlib
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
from trainables.data import image_file
from trainables.data.array_file import is_intact, map_array, write_array
from trainables.data.locations import cache_folder
from trainables.data.progress_line import show_progress

DECODER_VERSION = 2  # raise it if `image_file.read_image` returns other pixels: older caches are then ignored
MIN_CACHED_BYTES = 2**22  # bytes of image files; fewer are decoded faster than a cache is checked
CHUNK_IMAGES = 256  # images decoded ahead of what is written


def decode_images(base: Path, names: Sequence[str], side: int, expected: int | None = None) -> np.ndarray:
    """Return the images BASE/name in this order, uint8 [n, 3, side, side].

    See `image_file.read_image` for `side` and `expected`. Cached images are mapped and read-only. Of several processes
    that need the same images, one decodes them and the others wait.
    """
    files = [_file_status(base / name) for name in names]
    shape = (len(names), 3, side, side)
    decoding = _decode_in_threads([base / name for name in names], side, expected)
    if max(sum(file.st_size for file in files), math.prod(shape) // 8) < MIN_CACHED_BYTES:
        return np.stack(list(decoding))
    path = cache_folder() / "images" / f"{_images_key(names, files, side, expected)}.npy"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            disk.remove_partial_files(path.parent)
            if not is_intact(path):
                write_array(path, decoding, shape, np.uint8)
        return np.asarray(map_array(path))
    except OSError as error:
        raise UserError(
            f"{path.parent}: cannot write decoded images there ({error}); choose another folder by KD_CACHE=DIR"
        ) from error


def _file_status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError for a name that holds a zero byte
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: not a regular file, expected an image")
    return status


def _images_key(names: Sequence[str], files: Sequence[os.stat_result], side: int, expected: int | None) -> str:
    """Hash file names and times to 32 hex digits.

    The folder's path does not matter. The change time (ctime) distinguishes files unpacked with the same name, size and
    date.
    """
    digest = hashlib.blake2b(f"{DECODER_VERSION}/{PIL.__version__}/{side}/{expected}".encode(), digest_size=16)
    for name, file in zip(names, files, strict=True):
        digest.update(os.fsencode(f"\0{name}\0{file.st_size}/{file.st_mtime_ns}/{file.st_ctime_ns}"))
    return digest.hexdigest()


def _decode_in_threads(paths: Sequence[Path], side: int, expected: int | None) -> Iterator[np.ndarray]:
    """Yield the images in order, decoded in parallel.

    Pillow's decoders release the GIL.
    """
    read = partial(image_file.read_image, side=side, expected=expected)
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")  # odd metadata does no harm
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        chunks = (paths[start : start + CHUNK_IMAGES] for start in range(0, len(paths), CHUNK_IMAGES))
        images = (image for chunk in chunks for image in pool.map(read, chunk))
        yield from show_progress(images, len(paths), "decoding images")
