"""Decoded images of a data set as one cached array.

The array of a data set with many or large images is kept in `$KD_CACHE/images/KEY.npy` and mapped from there. The key
covers the files' names, sizes and times, the layout of the images, and the versions of the decoders. Images that
another array of the cache holds are copied from it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
from trainables.data.cache_limit import hold_file, limit_images
from trainables.data.cached_rows import (
    PARTIAL_SUFFIX,
    CachedRow,
    find_rows,
    identities_file,
    row_identities,
    write_rows,
)
from trainables.data.file_identity import combined_key, file_identity
from trainables.data.image_file import UnreadableImageError
from trainables.data.locations import images_folder
from trainables.data.progress_line import show_progress

DECODER_VERSION = 3  # raise it if `image_file.read_image` returns other pixels: older caches are then ignored
MIN_CACHED_BYTES = 2**22  # bytes of image files; fewer are decoded faster than a cache is checked
CHUNK_IMAGES = 256  # images decoded ahead of what is written
MAX_NAMED_FILES = 20  # of unreadable files in a message
MAX_EARLY_BYTES = 2**26  # of new images decoded before the rows of the others are copied


class ImageLayout(NamedTuple):
    """Size and channels of decoded images; see `image_file.read_image`."""

    side: int
    channels: int = 3
    depth: int = image_file.FULL_DEPTH
    expected: int | None = None  # width and height of the files, None for any

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a decoded image."""
        return self.channels, self.side, self.side


class UnreadableImagesError(UserError):
    """All unreadable images of a data set, `reasons` by file name."""

    def __init__(self, base: Path, reasons: dict[str, str]) -> None:
        lines = [f"{base / name}: {reasons[name]}" for name in list(reasons)[:MAX_NAMED_FILES]]
        more = [f"{base}: and {len(reasons) - len(lines):,} more unreadable images"] * (len(reasons) > len(lines))
        super().__init__("\n".join([*lines, *more]))
        self.reasons = reasons


def decode_images(base: Path, names: Sequence[str], layout: ImageLayout) -> np.ndarray:
    """Return the images BASE/name in this order, uint8 [n, channels, side, side].

    Cached images are mapped and read-only. Of several processes that need the same images, one decodes them and the
    others wait. Raises UnreadableImagesError; the other images are then kept in the cache.
    """
    identities, size = _identities(base, names)
    if max(size, len(names) * math.prod(layout.shape) // 8) < MIN_CACHED_BYTES:
        return _decode_in_memory(base, names, layout)
    version = f"{DECODER_VERSION}/{PIL.__version__}/{tuple(layout)}"
    path = images_folder() / f"{combined_key(version, identities)}.npy"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            disk.remove_partial_files(path.parent)
            if not _is_current(path, len(names)):
                rows = row_identities(version, identities)
                _Composition(base, dict(zip(rows, names, strict=True)), layout, path).write()
            hold_file(path)
        limit_images(path.parent)
        return map_array(path)
    except OSError as error:
        raise UserError(
            f"{path.parent}: cannot write decoded images there ({error}); choose another folder by KD_CACHE=DIR"
        ) from error


def _is_current(path: Path, images: int) -> bool:
    """Return True for an intact array of all images.

    The rows of another are forgotten.
    """
    if is_intact(path) and len(map_array(path)) == images:
        return True
    identities_file(path).unlink(missing_ok=True)
    return False


def _identities(base: Path, names: Sequence[str]) -> tuple[list[bytes], int]:
    """Return the identities of files and their total size."""
    identities, sizes, reasons = list[bytes](), 0, dict[str, str]()
    for name in names:
        try:
            identity, size = file_identity(base, name)
            identities.append(identity)
            sizes += size
        except UnreadableImageError as error:
            reasons[name] = str(error)
    if reasons:
        raise UnreadableImagesError(base, reasons)
    return identities, sizes


def _decode_in_memory(base: Path, names: Sequence[str], layout: ImageLayout) -> np.ndarray:
    images, reasons = list[np.ndarray](), dict[str, str]()
    for name, image in zip(names, decode_in_threads(base, names, layout), strict=True):
        if isinstance(image, str):
            reasons[name] = image
        else:
            images.append(image)
    if reasons:
        raise UnreadableImagesError(base, reasons)
    return np.stack(images)


class _Composition:
    """A new array: rows of other arrays, and newly decoded images."""

    def __init__(self, base: Path, names: dict[bytes, str], layout: ImageLayout, path: Path) -> None:
        self._base, self._names, self._layout, self._path = base, names, layout, path
        self._places = find_rows(path.parent, names.keys())
        self._decoded: dict[bytes, np.ndarray | str] = {}  # an image, or the reason for none
        self._written: list[bytes] = []
        self._reasons: dict[str, str] = {}
        self._interrupted = False

    def write(self) -> None:
        """Write the array, or the decodable part of it.

        Raises UnreadableImagesError, or KeyboardInterrupt after an interruption.
        """
        self._decode_few_early()
        shape = (len(self._names), *self._layout.shape)
        write_array(self._path, self._chunks(), shape, np.uint8)
        target = self._path
        if incomplete := len(self._written) < len(self._names):
            target = self._path.with_name(combined_key("partial", self._written) + PARTIAL_SUFFIX)
            self._path.replace(target)
        write_rows(target, self._written)
        for array in {place.array for place in self._places.values()}:
            if array.name.endswith(PARTIAL_SUFFIX) and array != target and not incomplete:
                array.unlink(missing_ok=True)
                identities_file(array).unlink(missing_ok=True)
        if self._interrupted:
            raise KeyboardInterrupt
        if self._reasons:
            raise UnreadableImagesError(self._base, self._reasons)

    def _decode_few_early(self) -> None:
        """Decode the new images first if they are few.

        An unreadable one is then found before the rows of all others are copied.
        """
        new = [row for row in self._names if row not in self._places]
        if not self._places or len(new) * math.prod(self._layout.shape) > MAX_EARLY_BYTES:
            return
        names = [self._names[row] for row in new]
        self._decoded = dict(zip(new, decode_in_threads(self._base, names, self._layout), strict=True))
        if reasons := {self._names[row]: image for row, image in self._decoded.items() if isinstance(image, str)}:
            raise UnreadableImagesError(self._base, reasons)

    def _chunks(self) -> Iterator[np.ndarray]:
        """Yield the readable images in order; stop at an interruption."""
        rows, arrays = list(self._names), dict[Path, np.ndarray]()
        new = [row for row in rows if row not in self._places and row not in self._decoded]
        decoding = decode_in_threads(self._base, [self._names[row] for row in new], self._layout)
        try:
            for start in range(0, len(rows), CHUNK_IMAGES):
                chunk = {row: self._image(row, decoding, arrays) for row in rows[start : start + CHUNK_IMAGES]}
                images = {row: image for row, image in chunk.items() if not isinstance(image, str)}
                self._reasons |= {self._names[row]: image for row, image in chunk.items() if isinstance(image, str)}
                self._written += images
                if images:
                    yield np.stack(list(images.values()))
        except KeyboardInterrupt:
            self._interrupted = True

    def _image(
        self, row: bytes, decoding: Iterator[np.ndarray | str], arrays: dict[Path, np.ndarray]
    ) -> np.ndarray | str:
        place: CachedRow | None = self._places.get(row)
        if place is not None:
            return arrays.setdefault(place.array, map_array(place.array))[place.row]
        return self._decoded[row] if row in self._decoded else next(decoding)


def decode_in_threads(base: Path, names: Sequence[str], layout: ImageLayout) -> Iterator[np.ndarray | str]:
    """Yield the images in order, decoded in parallel.

    For an unreadable one the reason.

    Pillow's decoders release the GIL.
    """

    def read(name: str) -> np.ndarray | str:
        side, channels, depth, expected = layout
        try:
            return image_file.read_image(base / name, side, side, channels, depth, expected)
        except UnreadableImageError as error:
            return str(error)

    with strict_decoder_warnings(), ThreadPoolExecutor() as pool:
        chunks = (names[start : start + CHUNK_IMAGES] for start in range(0, len(names), CHUNK_IMAGES))
        images = (image for chunk in chunks for image in pool.map(read, chunk))
        yield from show_progress(images, len(names), "decoding images")


@contextmanager
def strict_decoder_warnings() -> Iterator[None]:
    """Ignore warnings of metadata; raise those of too large images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
