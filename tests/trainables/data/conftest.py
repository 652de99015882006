"""Small data sets in the official idx layout."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainables.data import mnist


@pytest.fixture(scope="session")
def content() -> Callable[[np.ndarray], bytes]:
    """Write an idx file of unsigned bytes."""
    return lambda a: struct.pack(f">{1 + a.ndim}I", 0x0800 + a.ndim, *a.shape) + a.astype(np.uint8).tobytes()


@pytest.fixture(scope="session")
def arrays() -> dict[str, np.ndarray]:
    """The arrays of a set of 200 + 50 images of 6 by 5 pixels, all images different, every label present."""
    rng = np.random.default_rng(7)
    arrays: dict[str, np.ndarray] = {}
    for part, n in (("train", 200), ("t10k", 50)):
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (n, 6, 5), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = rng.permutation(np.arange(n, dtype=np.uint8) % 10)
    return arrays


@pytest.fixture(scope="session")
def contents(arrays: dict[str, np.ndarray], content: Callable[[np.ndarray], bytes]) -> dict[str, bytes]:
    """The four unpacked files."""
    return {name: content(array) for name, array in arrays.items()}


@pytest.fixture
def raw(tmp_path: Path, contents: dict[str, bytes]) -> Path:
    """A folder MNIST/raw with the four files gzipped."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, data in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
    return folder


@pytest.fixture
def official(monkeypatch: pytest.MonkeyPatch, arrays: dict[str, np.ndarray], contents: dict[str, bytes]) -> None:
    """Let the tiny files be MNIST's originals."""
    files = {name: mnist.File(arrays[name].shape, hashlib.md5(contents[name]).hexdigest()) for name in contents}
    monkeypatch.setattr(mnist, "FILES", files)
