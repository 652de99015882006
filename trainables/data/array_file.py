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
    """A read-only array mapped from a file; pickled as the file's path."""

    path: Path | None = None  # None for slices and results of arithmetic, which are pickled by value

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (map_array, (self.path,)) if self.path else super().__reduce_ex__(protocol)


def load_or_compute_array(path: Path, compute: Callable[[], np.ndarray]) -> MappedArray:
    """Map the array of a file; compute it if absent or damaged."""
    if not is_intact(path):
        array = compute()
        write_array(path, [array], array.shape, array.dtype)
    return map_array(path)


def map_array(path: Path) -> MappedArray:
    """Map the array of a file without checking its checksum."""
    array = np.lib.format.open_memmap(path, mode="r").view(MappedArray)
    array.path = path.absolute()
    return array


def write_array(path: Path, parts: Iterable[np.ndarray], shape: tuple[int, ...], dtype: np.dtype | type) -> None:
    """Write one array of this shape, given in consecutive parts, atomically.

    Ordinary writes are used, because a full disk kills a process that writes to mapped memory.
    """
    dtype, header = np.dtype(dtype), BytesIO()
    layout = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, layout)
    digest = hashlib.sha256(header.getvalue())
    with disk.atomic_file(path, math.prod(shape) * dtype.itemsize) as file:
        file.write(header.getvalue())
        for part in parts:
            content = np.ascontiguousarray(part, dtype).data
            digest.update(content)
            file.write(content)
        file.write(digest.digest())


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
