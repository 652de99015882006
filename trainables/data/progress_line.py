"""How far something long has come: a line that counts on a terminal, one line in all elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any, TypeVar

MIN_SECONDS = 1.0  # seconds; what is done sooner is not worth a word

T = TypeVar("T")


def show_progress(items: Iterable[T], total: int, what: str, size: Callable[[T], int] = lambda item: 1) -> Iterator[T]:
    """Pass the items on, and tell the standard error how much of the total they are so far."""
    shown, done, live = monotonic(), 0, sys.stderr.isatty()
    spoken = False
    try:
        for item in items:
            yield item
            done += size(item)
            if monotonic() - shown > MIN_SECONDS and (live or not spoken):
                _print_error(f"\r{what}: {done:,} of {total:,}" if live else f"{what}: {total:,} …\n")
                shown, spoken = monotonic(), True
    finally:
        if spoken and live:
            _print_error(f"\r{what}: {done:,} of {total:,}\n")


def _print_error(text: str, **options: Any) -> None:
    print(text, end="", file=sys.stderr, flush=True, **options)
