"""Text files and folders of data sets."""

from __future__ import annotations

import csv
import os
import stat
from pathlib import Path
from typing import Any

from spaces.errors import UserError

MAX_TEXT_BYTES = 2**26  # Tiny-ImageNet's words.txt, the largest, has 2.5 million
SYSTEM_FILES = ("desktop.ini", "thumbs.db")  # written by file managers


def read_text_file(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_TEXT_BYTES:
            raise UserError(f"{path}: expected a regular file of up to {MAX_TEXT_BYTES:,} bytes")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error})") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_tab_rows(path: Path, columns: int) -> dict[int, list[str]]:
    """Return the tab-separated rows of a text file, by line number.

    Empty lines are skipped. Raises UserError for a row with another number of columns.
    """
    lines = [line.split("\t") for line in read_text_file(path).splitlines()]
    for number, row in enumerate(lines, 1):
        if len(row) != columns and row != [""]:
            raise UserError(f"{path}:{number}: {len(row)} columns between tabs, expected {columns}")
    return {number: [cell.strip() for cell in row] for number, row in enumerate(lines, 1) if row != [""]}


def table_reader(path: Path) -> Any:
    """Return a csv.reader of a table between tabs, semicolons or commas."""
    lines = read_text_file(path).splitlines()
    head = lines[0] if lines else ""
    return csv.reader(lines, delimiter=max("\t;,", key=head.count))


def list_folder(folder: Path) -> list[os.DirEntry[str]]:
    """List a folder by name, without hidden and system files."""
    try:
        with os.scandir(folder) as entries:
            shown = [e for e in entries if not e.name.startswith(".") and e.name.lower() not in SYSTEM_FILES]
            return sorted(shown, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror or error})") from error


def is_directory(entry: os.DirEntry[str]) -> bool:
    """Return True for a folder or a link to one.

    DirEntry.is_dir raises for a link to itself.
    """
    try:
        return entry.is_dir()
    except OSError:
        return False
