"""Scan of image files: unreadable ones and bit depth.

Headers and ends of the files are read; a file is decoded only if its end is missing or its gray levels have 16 bits.
The result for many or large files is kept in `$KD_CACHE/images/KEY.scan.json`.

Cameras and scanners store 10, 12 or 14 bits in files of 16. The depth of a data set is the smallest number of bits, at
least 8, that holds the largest level of all its images. It decides the eight bits that are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Collection, Sequence
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
from trainables.data.image_cache import MIN_CACHED_BYTES, strict_decoder_warnings
from trainables.data.image_file import FULL_DEPTH, UnreadableImageError, is_sixteen_bit, open_image
from trainables.data.locations import images_folder
from trainables.data.progress_line import show_progress

SCAN_VERSION = 2
END_BYTES = 64  # read of each file
START_BYTES = 4096  # compared of files of equal size, before all of their content is
END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}  # in the last bytes of a whole file
CHECKED_WHEN_DECODED = ("AVIF", "HEIF")  # slow to decode and without a mark at the end
SCANNED_AHEAD = 1024  # files


class ImageScan(NamedTuple):
    """Findings in the image files of a data set."""

    unreadable: dict[str, str]  # reason by file name
    gray: int  # images without color
    sixteen_bit: int  # images with gray levels of 16 bits
    largest: int  # level of these
    equal_files: list[list[str]]  # names of files with the same content

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
    identities, unreadable, sizes = list[bytes](), dict[str, str](), dict[str, int]()
    for name in names:
        try:
            identity, sizes[name] = file_identity(base, name)
            identities.append(identity)
        except UnreadableImageError as error:
            unreadable[name] = str(error)
    if sum(sizes.values()) < MIN_CACHED_BYTES or unreadable:
        return _scan_headers(base, sizes, unreadable)
    version = f"scan {SCAN_VERSION}/{PIL.__version__}"
    path = images_folder() / f"{combined_key(version, identities)}.scan.json"
    with suppress(OSError, ValueError, TypeError):
        return ImageScan(**json.loads(path.read_text()))
    scan = _scan_headers(base, sizes, {})
    with suppress(OSError, UserError):  # a full or read-only cache: scanned again next time
        disk.write_atomically(path, json.dumps(scan._asdict()).encode())
    return scan


def _scan_headers(base: Path, sizes: dict[str, int], unreadable: dict[str, str]) -> ImageScan:
    names = list(sizes)
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
    return ImageScan(unreadable, gray, sixteen_bit, largest, _equal_files(base, sizes, unreadable))


def _equal_files(base: Path, sizes: dict[str, int], unreadable: Collection[str]) -> list[list[str]]:
    """Return groups of files with the same content.

    Only files of equal size are read.
    """
    by_size: defaultdict[int, list[str]] = defaultdict(list)
    for name, size in sizes.items():
        if name not in unreadable:
            by_size[size].append(name)
    candidates = [name for names in by_size.values() if len(names) > 1 for name in names]
    by_content: defaultdict[bytes, list[str]] = defaultdict(list)
    with ThreadPoolExecutor() as pool:
        for name, digest in zip(candidates, pool.map(partial(_start_digest, base), candidates), strict=True):
            by_content[digest].append(name)
        alike = [name for names in by_content.values() if len(names) > 1 for name in names]
        by_content.clear()
        for name, digest in zip(alike, pool.map(partial(_content_digest, base), alike), strict=True):
            by_content[digest].append(name)
    return [names for names in by_content.values() if len(names) > 1]


def _start_digest(base: Path, name: str) -> bytes:
    """Hash size and ends of a file: different for most different files."""
    with (base / name).open("rb") as file:
        start, size = file.read(START_BYTES), file.seek(0, os.SEEK_END)
        file.seek(max(0, size - START_BYTES))
        return hashlib.blake2b(b"%d/" % size + start + file.read(), digest_size=16).digest()


def _content_digest(base: Path, name: str) -> bytes:
    with (base / name).open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


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
