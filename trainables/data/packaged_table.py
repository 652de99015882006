"""Tables of images that an installed package ships, as rows of small numbers."""

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
    """Where an installed package lies; it is not imported, which takes scikit-learn a second."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise UserError(f"the package {package}, which holds these images, is not installed")
    return Path(found.origin).parent


def read_packaged_table(package: str, place: str, shape: tuple[int, int]) -> np.ndarray:
    """A gzipped table of numbers from 0 to 255, uint8 of this shape; a UserError names a file that is damaged."""
    path = package_folder(package) / place
    try:
        text = BytesIO(gzip.decompress(path.read_bytes()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a table without a line
            table = np.loadtxt(text, np.uint8, delimiter=",", max_rows=shape[0] + 1, ndmin=2)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UserError(f"{path}: damaged ({error}); install the package {package} anew") from error
    if table.shape != shape:
        found = " by ".join(map(str, table.shape))
        raise UserError(f"{path}: found {found} numbers, expected {shape[0]} by {shape[1]}; install {package} anew")
    return table
