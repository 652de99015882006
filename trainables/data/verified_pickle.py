"""Published pickles, read without running code.

A file is opened only if its MD5 is the published one.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from spaces.errors import UserError

MAX_PICKLE_BYTES = 2**28  # the largest, CIFAR-100's training images, has 155,249,918


def read_pickle(path: Path, md5: str, alternative: str) -> dict[bytes, Any]:
    """Read the published file with this MD5.

    Raises UserError for any other file, with the alternative to use.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PICKLE_BYTES)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if (actual := hashlib.md5(content, usedforsecurity=False).hexdigest()) != md5:
        reason = f"its md5 is {actual}, the published one is {md5}"
        raise UserError(f"{path}: not opened: a pickle may run code, and {reason}; use {alternative} instead")
    try:
        return _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise UserError(f"{path}: {error}; use {alternative} instead") from error


def _empty_array(kind: type, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.ndarray(shape, dtype)  # the file sets its content next


ALLOWED_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickler for arrays written by NumPy 1, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the three allowed functions and classes."""
        if (module, name) in ALLOWED_GLOBALS:
            return ALLOWED_GLOBALS[module, name]
        raise pickle.UnpicklingError(f"names {module}.{name}, which is not part of an array")
