"""Published pickles: opened only where the md5 is the published one, and even then without running anybody's code."""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from spaces.errors import UserError

MAX_PICKLE_BYTES = 2**28  # bytes; the largest, CIFAR-100's training images, has 155,249,918


def read_pickle(path: Path, md5: str, instead: str) -> dict[bytes, Any]:
    """What the published file of this md5 holds; a UserError for any other, which names what to use `instead`."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PICKLE_BYTES)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if (found := hashlib.md5(content, usedforsecurity=False).hexdigest()) != md5:
        reason = f"its md5 is {found}, the published one is {md5}"
        raise UserError(f"{path}: not opened, for a pickle may run code and {reason}; use {instead} instead")
    try:
        return _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise UserError(f"{path}: {error}; use {instead} instead") from error


def _empty_array(kind: type, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.ndarray(shape, dtype)  # empty; its content is set by what follows in the file


ALLOWED_GLOBALS = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Knows arrays of numpy 1, which is what the files were written by, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the class or function of this name, if it is one of the three."""
        if (module, name) in ALLOWED_GLOBALS:
            return ALLOWED_GLOBALS[module, name]
        raise pickle.UnpicklingError(f"asks for {module}.{name}, which no array needs")
