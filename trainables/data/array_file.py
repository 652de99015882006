"""Large arrays on disk: checked by a checksum, memory-mapped when read.

A file is one array in NumPy's .npy format, followed by the 32 bytes of the SHA-256 of everything before them.
`numpy.load` reads it like any other .npy file. Nothing in it is unpickled. Decoded images and the outputs of teachers
are kept in such files.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from spaces import disk

DIGEST_BYTES = 32
LOG = logging.getLogger(__name__)


class MappedArray(np.ndarray):
    """A read-only array mapped from a file; pickled as the file's path.

    The same holds for ranges of its first axis.
    """

    path: Path | None = None  # None for other slices and results of arithmetic, which are pickled by value
    rows: tuple[int, int] = (0, 0)  # range of the file's first axis

    def __getitem__(self, key: Any) -> Any:
        result = super().__getitem__(key)
        if self.path and isinstance(key, slice) and key.step in (None, 1):
            start, stop, _ = key.indices(len(self))
            result.path, result.rows = self.path, (self.rows[0] + start, self.rows[0] + max(start, stop))
        return result

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (map_array, (self.path, self.rows)) if self.path else super().__reduce_ex__(protocol)


def memory_bytes(array: np.ndarray) -> int:
    """Return the memory of an array, 0 if mapped."""
    return 0 if isinstance(array, MappedArray) and array.path else array.nbytes


def concatenate_rows(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the rows of two arrays.

    Adjacent ranges of one file stay mapped.
    """
    places = [(array.path, array.rows) for array in (first, second) if isinstance(array, MappedArray) and array.path]
    if len(places) == 2 and places[0][0] == places[1][0] and places[0][1][1] == places[1][1][0]:
        return map_array(places[0][0], (places[0][1][0], places[1][1][1]))
    return np.concatenate([first, second])


def load_or_compute_array(path: Path, compute: Callable[[], np.ndarray]) -> MappedArray:
    """Map the array of a file; compute it if absent or damaged."""
    if not is_intact(path):
        array = compute()
        write_array(path, [array], array.shape, array.dtype)
    return map_array(path)


def map_array(path: Path, rows: tuple[int, int] | None = None) -> MappedArray:
    """Map the array of a file, or a range of its rows.

    The checksum is not checked.
    """
    array = np.lib.format.open_memmap(path, mode="r").view(MappedArray)
    array.path, array.rows = path.absolute(), (0, len(array))
    return array[slice(*rows)] if rows else array


def write_array(path: Path, parts: Iterable[np.ndarray], shape: tuple[int, ...], dtype: np.dtype | type) -> None:
    """Write one array of this shape, given in consecutive parts, atomically.

    The parts may have fewer rows than the shape. Ordinary writes are used, because a full disk kills a process that
    writes to mapped memory.
    """
    dtype, row_bytes = np.dtype(dtype), math.prod(shape[1:]) * np.dtype(dtype).itemsize
    header = _header_bytes(shape, dtype)
    digest = hashlib.sha256(header)
    with disk.atomic_file(path, math.prod(shape) * dtype.itemsize) as file:
        file.write(header)
        for part in parts:
            content = np.ascontiguousarray(part, dtype).data
            digest.update(content)
            file.write(content)
        written = file.tell() - len(header)
        if shape and written < shape[0] * row_bytes:
            file.seek(0)
            file.write(_header_bytes((written // row_bytes, *shape[1:]), dtype))
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256")
        file.write(digest.digest())


def _header_bytes(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    """Return the header of an array.

    Its length does not depend on the number of rows.
    """
    header = BytesIO()
    layout = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, layout)
    return header.getvalue()


def is_intact(path: Path) -> bool:
    """Return True for an undamaged file; log a warning if damaged."""
    if not os.path.lexists(path):
        return False
    if matches_checksum(path):
        return True
    LOG.warning("%s: damaged; it is computed again", path)
    return False


def matches_checksum(path: Path) -> bool:
    """Return True if a file ends in its own checksum."""
    try:
        content = np.memmap(path, mode="r")
    except (OSError, ValueError):  # ValueError for an empty file
        return False
    return hashlib.sha256(content[:-DIGEST_BYTES].data).digest() == content[-DIGEST_BYTES:].tobytes()
