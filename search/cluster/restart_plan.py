"""Restart plan: instructions of the driver to its supervisor.

The plan lies in memory that both processes share. The driver writes it before it connects to Ray, adds the addresses of
Ray's processes while it is connected, and removes the plan at its end. The supervisor (supervisor.py) reads it.
"""

from __future__ import annotations

import json
import mmap
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from search.cluster.heartbeat import dead_process

RAY_EXIT_CODE = 1  # with which Ray ends a driver
SUPERVISED = threading.Event()  # set in a driver that has a supervisor
SHARED_MEMORY = mmap.mmap(-1, 2**16)  # one RestartPlan as JSON


class RayLostError(Exception):
    """Ray died, or dropped students."""


class RestartPlan(NamedTuple):
    """Instructions of a driver for the time after its end."""

    folder: str
    command: str  # that resumes the search
    restart: bool  # False: only write the tables
    reason: str = ""  # why the driver ended, if it knows
    addresses: dict[str, str] | None = None  # of Ray's processes, by name, while the driver is connected


@contextmanager
def restart_plan(plan: RestartPlan) -> Iterator[None]:
    """Share a plan with the supervisor inside this block."""
    write_plan(plan)
    try:
        yield
    finally:
        write_plan(None)


@contextmanager
def ray_watched(addresses: Mapping[str, str]) -> Iterator[None]:
    """Let the supervisor watch these addresses inside the block.

    An error inside the block while one of them is dead, and a RayLostError, end this process if it has a supervisor.
    Otherwise RayLostError is raised.
    """
    plan = read_plan()
    if plan:
        write_plan(plan._replace(addresses=dict(addresses)))
    try:
        yield
    except Exception as error:
        dead = dead_process(addresses)
        if not dead and not isinstance(error, RayLostError):
            raise
        reason = f"Ray's {dead} died" if dead else str(error)
        _request_restart(reason)
        raise RayLostError(reason) from None
    finally:  # before Ray is shut down, which closes its ports
        if plan:
            write_plan(plan)


def _request_restart(reason: str) -> None:
    """End this process for a restart, if it has a supervisor."""
    plan = read_plan()
    if SUPERVISED.is_set() and plan:
        write_plan(plan._replace(reason=reason))
        os._exit(RAY_EXIT_CODE)


def write_plan(plan: RestartPlan | None) -> None:
    text = json.dumps(plan).encode() if plan else b""
    SHARED_MEMORY[:] = text.ljust(len(SHARED_MEMORY), b"\0")


def read_plan() -> RestartPlan | None:
    text = SHARED_MEMORY[:].rstrip(b"\0")
    try:
        return RestartPlan(*json.loads(text)) if text else None
    except ValueError:  # read while the driver writes
        return None
