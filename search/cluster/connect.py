"""Connecting to Ray: a private instance on this machine, or a cluster that somebody started."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from search.cluster.heartbeat import watched
from search.cluster.preflight import preflight
from search.cluster.scratch import scratch
from search.cluster.token import demand, keep
from spaces.errors import UserError
from trainables.data import Dataset

ROOM = 512 * 2**20  # bytes beside the data: answers, results


@contextmanager
def connected(
    address: str | None, folder: Path, data: Dataset, last_resort: Callable[[str], object], insecure: bool = False
) -> Iterator[None]:
    """Be connected to Ray inside this block, with room for the data that all students share; raise Lost if Ray dies.

    Without an address Ray is started for this run alone and ends with it, so that it never joins a cluster it finds.
    A cluster without a token is only joined where that is said to be wanted. For `last_resort` see lifeline.watched.
    """
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # what goes wrong with students is said from their rows
    if address is None:
        with _started(sum(array.nbytes for split in data[:3] for array in split)), watched(last_resort):
            yield
        return
    try:
        _knock(address)
        demand(address, insecure)
        _init(address=address)
    except (ConnectionError, ValueError) as error:
        raise UserError(
            f"--address {address}: no Ray cluster answers there ({str(error).splitlines()[0]}); start one with: "
            "ray start --head --port=6379"
        ) from None
    try:
        preflight(folder)
        with watched(last_resort):
            yield
    finally:
        _leave()


def _knock(address: str) -> None:
    """Raise ConnectionError or ValueError at once where nobody listens: Ray itself would try again for minutes."""
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdigit()):
        raise ValueError("expected HOST:PORT or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(str(error)) from None


@contextmanager
def _started(shared: int) -> Iterator[None]:
    with scratch() as temporary:
        try:
            _begin(object_store_memory=ROOM + 4 * shared, _temp_dir=str(temporary))
            yield
        finally:
            _leave()


def _begin(**options: Any) -> None:
    """Start Ray on this machine; a UserError where it does not come up."""
    keep()
    try:
        _init(address="local", include_dashboard=False, **options)
    except Exception as error:  # Ray raises bare exceptions here
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"Ray does not start: {reason} Is the machine very busy, or short of memory or disk?") from None


def _leave() -> None:
    """Shut Ray down, whoever presses Ctrl-C meanwhile: half a shutdown would leave processes behind."""
    with undisturbed() as ignore:
        leaving = threading.Thread(target=ray.shutdown)
        leaving.start()
        while leaving.is_alive():
            leaving.join(0.02)
            ignore()  # again: in its shutdown Ray gives SIGTERM back to the system, which would end this process


@contextmanager
def undisturbed() -> Iterator[Callable[[], object]]:
    """Let SIGINT and SIGTERM pass inside this block; what it yields ignores them anew."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    both = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(each) for each in both]

    def ignore() -> None:
        for each in both:
            signal.signal(each, signal.SIG_IGN)

    ignore()
    try:
        yield ignore
    finally:
        for each, handler in zip(both, before, strict=True):
            signal.signal(each, handler)


def _init(**options: Any) -> None:
    """Start or join Ray quietly, keeping our own answer to SIGTERM, which Ray replaces by its own."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except SystemExit:  # of Ray's answer, to a signal that came while it was in force
        raise KeyboardInterrupt from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def nodes() -> list[tuple[float, float]]:
    """Processors and GPUs of every node of the connected cluster."""
    alive = (node["Resources"] for node in ray.nodes() if node["Alive"])
    return [(resources.get("CPU", 0), resources.get("GPU", 0)) for resources in alive]
