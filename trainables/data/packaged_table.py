"""Image tables shipped with installed packages."""

from __future__ import annotations

import gzip
import warnings
import zlib
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np

from spaces.errors import UserError


def package_folder(package: str) -> Path:
    """Return the folder of an installed package without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f"the package {package}, which holds these images, is not installed")
    return Path(spec.origin).parent


def read_packaged_table(package: str, file: str, shape: tuple[int, int]) -> np.ndarray:
    """Read a gzipped table of numbers from 0 to 255.

    Returns uint8 of this shape.
    """
    path = package_folder(package) / file
    try:
        text = BytesIO(gzip.decompress(path.read_bytes()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy warns of an empty table
            table = np.loadtxt(text, np.uint8, delimiter=",", max_rows=shape[0] + 1, ndmin=2)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); install the package {package} again") from error
    if table.shape != shape:
        size = " by ".join(map(str, table.shape))
        raise UserError(f"{path}: {size} numbers, expected {shape[0]} by {shape[1]}; install {package} again")
    return table
