"""Whether Ray itself is alive: where its master or this node's raylet dies, a run learns of it within seconds.

Left alone, Tune waits for either, up to a minute, and then Ray ends the process without a word.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ray

PULSE = 1.0  # seconds between two looks
PATIENCE = 5.0  # seconds in which a busy machine must answer
STRIKES = 3  # silences in a row; a refusal is an answer, and final
KNOCK = signal.SIGUSR2  # not SIGINT, which a shell lets its background jobs ignore; SIGUSR1 is taken by Tune
GRACE = 10.0  # seconds that the main thread has to answer an interrupt


class RayLostError(Exception):
    """Ray itself died under a run."""


@contextmanager
def watched(last_resort: Callable[[str], object]) -> Iterator[None]:
    """Raise Lost inside this block soon after Ray died, whatever the main thread waits for.

    Where it waits inside of Ray for the master itself, nothing can interrupt it until Ray ends the process: then
    `last_resort` is called, from another thread, with the name of what died. Threads that are not the main one cannot
    be interrupted at all: there, what Ray does by itself must do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(KNOCK, signal.default_int_handler)
    line = _Lifeline(last_resort)
    line.start()
    try:
        try:
            yield
        finally:
            line.let_go()
    except (KeyboardInterrupt, Exception) as error:
        if dead := line.dead or (isinstance(error, Exception) and line.look()):  # whatever Tune made of Ray's own error
            raise RayLostError(f"Ray's {dead} died") from None
        raise
    else:
        if line.dead:  # and the interrupt came where it could only be printed, such as in a callback of Ray's
            raise RayLostError(f"Ray's {line.dead} died")
    finally:
        line.let_go()  # once more: the last interrupt may have come while it was let go
        signal.signal(KNOCK, before)


class _Lifeline(threading.Thread):
    """Looks after Ray and, when it is dead, interrupts the main thread as Ctrl-C would."""

    def __init__(self, last_resort: Callable[[str], object]) -> None:
        super().__init__(daemon=True, name="lifeline")
        self.last_resort = last_resort
        context = ray.get_runtime_context()
        here = next(node for node in ray.nodes() if node["NodeID"] == context.get_node_id())
        raylet = f"{here['NodeManagerAddress']}:{here['NodeManagerPort']}"
        self.places = {"raylet": raylet, "master (GCS)": context.gcs_address}
        self.dead: str | None = None
        self.over, self.lock = threading.Event(), threading.Lock()

    def run(self) -> None:
        while not self.over.wait(PULSE):
            if dead := self.look():
                self._cut(dead)
                if not self.over.wait(GRACE):
                    self.last_resort(dead)
                return

    def look(self) -> str | None:
        """The name of what is dead, or None."""
        return next((name for name, place in self.places.items() if not answers(place)), None)

    def _cut(self, dead: str) -> None:
        with self.lock:
            if not self.over.is_set():
                self.dead = dead
                signal.pthread_kill(threading.main_thread().ident or 0, KNOCK)

    def let_go(self) -> None:
        """Look no more."""
        with self.lock:
            self.over.set()


def answers(place: str) -> bool:
    """Whether anybody listens at HOST:PORT."""
    host, _, port = place.rpartition(":")
    for _ in range(STRIKES):
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
            return True
        except ConnectionError:
            return False
        except OSError:
            continue
    return False
