"""Scan of image files: unreadable ones and bit depth.

Headers and ends of the files are read; a file is decoded only if its end is missing or its gray levels have 16 bits.
The result for many or large files is kept in `$KD_CACHE/images/KEY.scan.json`.

Cameras and scanners store 10, 12 or 14 bits in files of 16. The depth of a data set is the smallest number of bits, at
least 8, that holds the largest level of all its images. It decides the eight bits that are kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import PIL
from PIL import Image

from spaces import disk
from spaces.errors import UserError
from trainables.data.file_identity import combined_key, file_identity
from trainables.data.image_cache import MIN_CACHED_BYTES, images_folder, strict_decoder_warnings
from trainables.data.image_file import FULL_DEPTH, UnreadableImageError, is_sixteen_bit, open_image
from trainables.data.progress_line import show_progress

SCAN_VERSION = 1
END_BYTES = 64  # read of each file
END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}  # in the last bytes of a whole file
CHECKED_WHEN_DECODED = ("AVIF", "HEIF")  # slow to decode and without a mark at the end
SCANNED_AHEAD = 1024  # files


class ImageScan(NamedTuple):
    """Findings in the image files of a data set."""

    unreadable: dict[str, str]  # reason by file name
    gray: int  # images without color
    sixteen_bit: int  # images with gray levels of 16 bits
    largest: int  # level of these

    @property
    def depth(self) -> int:
        """Return the bits of the largest level; 16 by default."""
        return max(8, self.largest.bit_length()) if self.sixteen_bit else FULL_DEPTH


class _Header(NamedTuple):
    problem: str
    gray: bool = False
    sixteen_bit: bool = False
    largest: int = 0


def scan_images(base: Path, names: Sequence[str]) -> ImageScan:
    """Scan the files BASE/name, unless an earlier result is cached."""
    identities, size, unreadable = [], 0, {}
    for name in names:
        try:
            identity, file_bytes = file_identity(base, name)
            identities.append(identity)
            size += file_bytes
        except UnreadableImageError as error:
            unreadable[name] = str(error)
    if size < MIN_CACHED_BYTES or unreadable:
        return _scan_headers(base, [name for name in names if name not in unreadable], unreadable)
    version = f"scan {SCAN_VERSION}/{PIL.__version__}"
    path = images_folder() / f"{combined_key(version, identities)}.scan.json"
    with suppress(OSError, ValueError, TypeError):
        return ImageScan(**json.loads(path.read_text()))
    scan = _scan_headers(base, names, {})
    with suppress(OSError, UserError):  # a full or read-only cache: scanned again next time
        disk.write_atomically(path, json.dumps(scan._asdict()).encode())
    return scan


def _scan_headers(base: Path, names: Sequence[str], unreadable: dict[str, str]) -> ImageScan:
    gray = sixteen_bit = largest = 0
    with strict_decoder_warnings(), ThreadPoolExecutor() as pool:
        chunks = (names[start : start + SCANNED_AHEAD] for start in range(0, len(names), SCANNED_AHEAD))
        headers = (
            pair for chunk in chunks for pair in zip(chunk, pool.map(partial(_header, base), chunk), strict=True)
        )
        for name, header in show_progress(headers, len(names), "scanning images"):
            if header.problem:
                unreadable[name] = header.problem
            gray += header.gray
            sixteen_bit += header.sixteen_bit
            largest = max(largest, header.largest)
    return ImageScan(unreadable, gray, sixteen_bit, largest)


def _header(base: Path, name: str) -> _Header:
    """Read the header of one file, or all of it."""
    try:
        with (base / name).open("rb") as file, open_image(file) as image:
            gray, sixteen_bit = image.mode[:1] in ("1", "L", "I"), is_sixteen_bit(image)
            largest = int(np.asarray(image).max()) if sixteen_bit else 0
            if not sixteen_bit and image.format not in CHECKED_WHEN_DECODED and not _has_end(file, image):
                image.load()
            return _Header("", gray, sixteen_bit, largest)
    except Exception as error:  # Pillow raises many types for a damaged file
        return _Header(f"not a readable image ({_without_object(error, base / name)})")


def _has_end(file: BinaryIO, image: Image.Image) -> bool:
    """Return True if a file ends as its format does.

    The position in the file is restored.
    """
    position = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - END_BYTES))
    end = file.read()
    file.seek(position)
    mark = END_MARKS.get(image.format or "")
    return mark is not None and mark in end


def _without_object(error: Exception, path: Path) -> str:
    """Return the text of an error without an object's address."""
    text = str(error) or type(error).__name__
    return f"cannot identify image file '{path}'" if text.startswith("cannot identify image file") else text
