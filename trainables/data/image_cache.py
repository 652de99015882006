"""Decoded images of a data set as one cached array.

The array of a data set with many or large images is kept in `$KD_CACHE/images/KEY.npy` and mapped from there. The key
covers the files' names, sizes and times, the size of the images, and the versions of the decoders.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL
from filelock import FileLock
from PIL import Image

from spaces import disk
from spaces.errors import UserError
from trainables.data import image_file
from trainables.data.array_file import is_intact, map_array, write_array
from trainables.data.file_identity import combined_key, file_identity
from trainables.data.locations import cache_folder
from trainables.data.progress_line import show_progress

DECODER_VERSION = 3  # raise it if `image_file.read_image` returns other pixels: older caches are then ignored
MIN_CACHED_BYTES = 2**22  # bytes of image files; fewer are decoded faster than a cache is checked
CHUNK_IMAGES = 256  # images decoded ahead of what is written


class ImageLayout(NamedTuple):
    """Size and channels of decoded images; see `image_file.read_image`."""

    side: int
    channels: int = 3
    depth: int = image_file.FULL_DEPTH
    expected: int | None = None  # width and height of the files, None for any


def decode_images(base: Path, names: Sequence[str], layout: ImageLayout) -> np.ndarray:
    """Return the images BASE/name in this order, uint8 [n, channels, side, side].

    Cached images are mapped and read-only. Of several processes that need the same images, one decodes them and the
    others wait.
    """
    identities, size = _identities(base, names)
    shape = (len(names), layout.channels, layout.side, layout.side)
    decoding = _decode_in_threads([base / name for name in names], layout)
    if max(size, math.prod(shape) // 8) < MIN_CACHED_BYTES:
        return np.stack(list(decoding))
    version = f"{DECODER_VERSION}/{PIL.__version__}/{tuple(layout)}"
    path = images_folder() / f"{combined_key(version, identities)}.npy"
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


def images_folder() -> Path:
    """Return the folder of decoded images."""
    return cache_folder() / "images"


def _identities(base: Path, names: Sequence[str]) -> tuple[list[bytes], int]:
    """Return the identities of files and their total size."""
    identities, size = [], 0
    for name in names:
        try:
            identity, file_bytes = file_identity(base, name)
        except image_file.UnreadableImageError as error:
            raise UserError(f"{base / name}: {error}") from None
        identities.append(identity)
        size += file_bytes
    return identities, size


def _decode_in_threads(paths: Sequence[Path], layout: ImageLayout) -> Iterator[np.ndarray]:
    """Yield the images in order, decoded in parallel.

    Pillow's decoders release the GIL.
    """
    with strict_decoder_warnings(), ThreadPoolExecutor() as pool:
        chunks = (paths[start : start + CHUNK_IMAGES] for start in range(0, len(paths), CHUNK_IMAGES))
        images = (image for chunk in chunks for image in pool.map(partial(_read_or_raise, layout=layout), chunk))
        yield from show_progress(images, len(paths), "decoding images")


@contextmanager
def strict_decoder_warnings() -> Iterator[None]:
    """Ignore warnings of metadata; raise those of too large images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _read_or_raise(path: Path, layout: ImageLayout) -> np.ndarray:
    side, channels, depth, expected = layout
    try:
        return image_file.read_image(path, side, side, channels, depth, expected)
    except image_file.UnreadableImageError as error:
        raise UserError(f"{path}: {error}") from None
