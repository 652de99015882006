"""Consoles for plain lines and for tables."""

from __future__ import annotations

import os
import sys

from rich.console import Console

from spaces.errors import CLOSED_EXIT_CODE, report_closed_output

PIPE_WIDTH = 160


class OutputConsole(Console):
    """Console on stdout that says so if its reader has ended."""

    def on_broken_pipe(self) -> None:
        """End the command; rich itself would exit with 1, which is Ray's code for a dead raylet."""
        self.quiet = True
        report_closed_output()
        raise SystemExit(CLOSED_EXIT_CODE)


def results_console() -> Console:
    """Return a console on stdout.

    In a pipe it is $COLUMNS wide, or 160.
    """
    return OutputConsole(width=None if sys.stdout.isatty() else chosen_width() or PIPE_WIDTH)


def chosen_width() -> int | None:
    """Return $COLUMNS, None if it is not set."""
    columns = os.environ.get("COLUMNS", "")
    return (int(columns) or None) if columns.isdecimal() else None


def print_plain(console: Console, line: str) -> None:
    """Print a line as it is: unbroken, without colors and markup."""
    console.print(line, highlight=False, markup=False, soft_wrap=True)
