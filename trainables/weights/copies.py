"""Copies of weights files, on machines without the files.

A recipe names files of the driver's machine. A worker on another machine gets copies by the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_copies: dict[str, Path] = {}  # by the name in the recipe; of a published file by its file name


def use_copies(copies: Mapping[str, Path]) -> None:
    """Let this process read these files, by name."""
    _copies.update(copies)


def copied_file(name: str) -> Path | None:
    """Return the copy of a file, None without one."""
    return _copies.get(name)
