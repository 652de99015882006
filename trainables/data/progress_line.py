"""Progress of long steps on standard error.

A terminal gets an updated line, a log one line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import TypeVar

UPDATE_SECONDS = 1.0  # between updates; shorter steps show nothing

Item = TypeVar("Item")


def show_progress(
    items: Iterable[Item], total: int, label: str, size: Callable[[Item], int] = lambda item: 1
) -> Iterator[Item]:
    """Yield the items, and show their share of the total."""
    updated, done, on_terminal, shown = monotonic(), 0, sys.stderr.isatty(), False
    try:
        for item in items:
            yield item
            done += size(item)
            if monotonic() - updated > UPDATE_SECONDS and (on_terminal or not shown):
                _print_error(f"\r{label}: {done:,} of {total:,}" if on_terminal else f"{label}: {total:,} …\n")
                updated, shown = monotonic(), True
    finally:
        if shown and on_terminal:
            _print_error(f"\r{label}: {done:,} of {total:,}\n")


def _print_error(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)
