"""Small text files and folders that describe a data set; what cannot be read is named."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from spaces.errors import UserError

MAX_TEXT_BYTES = 2**26  # bytes; Tiny-ImageNet's words.txt, the largest, has 2.5 million
SYSTEM_FILES = ("desktop.ini", "thumbs.db")  # left behind by file managers


def read_text(path: Path) -> str:
    """A text file in UTF-8, with or without a byte order mark."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_TEXT_BYTES:
            raise UserError(f"{path}: expected an ordinary file of up to {MAX_TEXT_BYTES:,} bytes")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: no UTF-8 text ({error})") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_tab_rows(path: Path, columns: int) -> dict[int, list[str]]:
    """The lines of a text file by their numbers, each in so many columns between tabs; empty lines are none."""
    found = [line.split("\t") for line in read_text(path).splitlines()]
    for number, row in enumerate(found, 1):
        if len(row) != columns and row != [""]:
            raise UserError(f"{path}:{number}: {len(row)} columns between tabs, expected {columns}")
    return {number: [cell.strip() for cell in row] for number, row in enumerate(found, 1) if row != [""]}


def list_folder(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name; hidden files and those of file managers are left out."""
    try:
        with os.scandir(folder) as found:
            shown = (each for each in found if not each.name.startswith(".") and each.name.lower() not in SYSTEM_FILES)
            return sorted(shown, key=lambda each: each.name)
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror or error})") from error


def is_directory(entry: os.DirEntry[str]) -> bool:
    """Whether this is a folder or a link to one; never an error, as DirEntry.is_dir has for a link to itself."""
    try:
        return entry.is_dir()
    except OSError:
        return False
