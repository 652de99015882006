"""Connecting to Ray: a private instance on this machine, or a cluster that somebody started."""

from __future__ import annotations

import logging
import shutil
import signal
import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from spaces.errors import UserError
from trainables.data import Dataset

ROOM = 512 * 2**20  # bytes beside the data: answers, results


@contextmanager
def connected(address: str | None, folder: Path, data: Dataset) -> Iterator[None]:
    """Be connected to Ray inside this block, with room for the data that all students share.

    Without an address Ray is started for this run alone and ends with it, so that it never joins a cluster it finds.
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    if address is None:
        with _private(sum(array.nbytes for split in data[:3] for array in split)):
            yield
        return
    try:
        _knock(address)
        _init(address=address)
    except (ConnectionError, ValueError) as error:
        raise UserError(
            f"--address {address}: no Ray cluster answers there ({str(error).splitlines()[0]}); start one with: "
            "ray start --head --port=6379"
        ) from None
    try:
        _preflight(folder)
        yield
    finally:
        ray.shutdown()


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
def _private(shared: int) -> Iterator[None]:
    temporary = tempfile.mkdtemp(prefix="kd-")  # short: Ray puts sockets in it, whose paths may have 107 characters
    try:
        _init(
            address="local",
            include_dashboard=False,
            object_store_memory=ROOM + 4 * shared,
            _temp_dir=temporary,
        )
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(temporary, ignore_errors=True)


def _init(**options: Any) -> None:
    """Start or join Ray quietly, keeping our own answer to SIGTERM, which Ray replaces by its own."""
    handler = signal.getsignal(signal.SIGTERM)
    ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


@ray.remote(num_cpus=0)
def _echo(path: str, answer: str) -> str:
    """Read a file of the experiment folder on a node and write one back."""
    question = Path(path).read_text()
    Path(answer).write_text(question)
    return question


def _preflight(folder: Path) -> None:
    """Make sure every node reads and writes the experiment folder; a UserError names those that do not."""
    nonce = uuid.uuid4().hex
    question = folder / f".question-{nonce}"
    question.write_text(nonce)
    failures = []
    for node in (node for node in ray.nodes() if node["Alive"]):
        answer = folder / f".answer-{nonce}-{node['NodeID'][:8]}"
        strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        try:
            ray.get(_echo.options(scheduling_strategy=strategy).remote(str(question), str(answer)), timeout=60)
            if answer.read_text() != nonce:
                failures.append(node["NodeManagerAddress"])
        except (ray.exceptions.RayError, OSError):
            failures.append(node["NodeManagerAddress"])
        finally:
            answer.unlink(missing_ok=True)
    question.unlink()
    if failures:
        raise UserError(
            f"--out {folder}: not shared with {', '.join(failures)}; expected a folder that every node of the cluster "
            "reads and writes under the same path, with this program installed there"
        )


def nodes() -> list[tuple[float, float]]:
    """Processors and GPUs of every node of the connected cluster."""
    alive = (node["Resources"] for node in ray.nodes() if node["Alive"])
    return [(resources.get("CPU", 0), resources.get("GPU", 0)) for resources in alive]
