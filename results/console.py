"""Consoles for plain lines and for tables."""

from __future__ import annotations

import os
import sys

from rich.console import Console

PIPE_WIDTH = 160


def results_console() -> Console:
    """Return a console on stdout.

    In a pipe it is $COLUMNS wide, or 160.
    """
    return Console(width=None if sys.stdout.isatty() else chosen_width() or PIPE_WIDTH)


def chosen_width() -> int | None:
    """Return $COLUMNS, None if it is not set."""
    columns = os.environ.get("COLUMNS", "")
    return (int(columns) or None) if columns.isdecimal() else None


def print_plain(console: Console, line: str) -> None:
    """Print a line as it is: unbroken, without colors and markup."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)
