"""Protection against SIGINT and SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTED_EXIT_CODE = 130


@contextmanager
def signals_ignored() -> Iterator[Callable[[], object]]:
    """Ignore SIGINT and SIGTERM inside this block.

    Yields a function that ignores them again, after a library has installed its handlers. Outside of the main thread,
    where Python allows no signal handlers, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(number) for number in numbers]

    def ignore() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    ignore()
    try:
        yield ignore
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)
