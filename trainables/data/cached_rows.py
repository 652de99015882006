"""Rows of cached image arrays by the identities of their files.

Beside the array `KEY.npy` lies `KEY.rows.npy`, uint8 [n, 16]: one identity per image. A data set with some new files
copies the rows of its other files from the arrays of the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainables.data.array_file import is_intact, map_array, write_array
from trainables.data.file_identity import IDENTITY_BYTES

ROWS_SUFFIX = ".rows.npy"
PARTIAL_SUFFIX = ".partial.npy"  # of arrays without unreadable or not yet decoded images


class CachedRow(NamedTuple):
    """Place of a decoded image."""

    array: Path
    row: int


def row_identities(version: str, identities: Iterable[bytes]) -> list[bytes]:
    """Return the identities of decoded images: file, layout and decoder."""
    prefix = version.encode()
    return [hashlib.blake2b(prefix + identity, digest_size=IDENTITY_BYTES).digest() for identity in identities]


def identities_file(array: Path) -> Path:
    """Return the file with the identities of an array's rows."""
    return array.with_name(array.name.removesuffix(".npy") + ROWS_SUFFIX)


def write_rows(array: Path, rows: Sequence[bytes]) -> None:
    """Write the identities of an array's rows."""
    content = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), IDENTITY_BYTES)
    write_array(identities_file(array), [content], content.shape, np.uint8)


def find_rows(folder: Path, identities: Collection[bytes]) -> dict[bytes, CachedRow]:
    """Find decoded images in the intact arrays of a folder."""
    places: dict[bytes, CachedRow] = {}
    missing = set(identities)
    for path in sorted(folder.glob(f"*{ROWS_SUFFIX}")):
        array = path.with_name(path.name.removesuffix(ROWS_SUFFIX) + ".npy")
        useful = [(row, identity) for row, identity in enumerate(_read_identities(path)) if identity in missing]
        if useful and is_intact(array):
            places |= {identity: CachedRow(array, row) for row, identity in useful}
            missing -= {identity for _, identity in useful}
        if not missing:
            break
    return places


def _read_identities(path: Path) -> Iterator[bytes]:
    if is_intact(path):
        content = map_array(path).tobytes()
        yield from (content[at : at + IDENTITY_BYTES] for at in range(0, len(content), IDENTITY_BYTES))
