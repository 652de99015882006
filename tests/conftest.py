"""Fixtures of all tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest


@pytest.fixture
def read_only() -> Callable[[Path], AbstractContextManager[None]]:
    """Return a context manager that mounts a folder read-only, for root too.

    Skips the test where mounting is not allowed.
    """

    @contextmanager
    def mounted(folder: Path) -> Iterator[None]:
        mount = subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], capture_output=True, text=True)
        if mount.returncode:
            pytest.skip(f"nothing can be mounted here: {mount.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", folder], check=True)

    return mounted
