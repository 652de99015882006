"""One run of an experiment: its protocol, Ray, its stages, and the results drawn from whatever it left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout
from rich.console import Console

from results import records
from results.rebuild import rebuild
from results.tensorboard import Board
from results.terminal import show
from search import cluster, engine
from search.algorithms import MODES
from search.check import check_resources
from search.display import Display
from search.environment import environment
from search.tuner import Experiment
from spaces.domain import Choice
from spaces.errors import UserError
from spaces.space import Space
from trainables.data import Dataset

FAILED, INTERRUPTED = 3, 130  # exit codes


class Session(NamedTuple):
    """What to run, on what, where, in which precision where the space says auto, and the command that does it."""

    space: Space
    data: Dataset
    folder: Path
    plugins: dict[str, str]
    address: str | None
    precision: str
    command: str


def conduct(session: Session, console: Console) -> int:
    """Train all students that are not done, then write and show the results; return the exit code."""
    session.folder.mkdir(parents=True, exist_ok=True)
    with alone(session.folder):
        code = _train(session, console)
        if code == INTERRUPTED:
            console.print(f"\nInterrupted. To go on: {session.command}", highlight=False, markup=False, soft_wrap=True)
        experiment = rebuild(session.folder)
        show(experiment, console)
        return code or (FAILED if "failed" in set(experiment.students["status"]) else 0)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder; raise UserError where another run does."""
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise UserError(f"{folder}: another run is at work there; wait for it, or choose another by --out") from None


def _train(session: Session, console: Console) -> int:
    """Run all stages; however they end, the protocol says how long they took, earlier runs included."""
    space, data, folder = session.space, session.data, session.folder
    before, began = records.environment(folder), time.time()
    about: dict[str, Any] = environment(space, data, session.command, session.plugins)
    about["auto_precision"] = session.precision
    about |= {name: before[name] for name in ("started", "spent_seconds") if name in before}
    spent = about.setdefault("spent_seconds", 0.0)
    records.replace(records.space_file(folder), space.dump())
    records.save_environment(folder, about)
    deadline = began + space.search.hours * 3600 - spent if space.search.hours else float("inf")
    board = Board(folder, {path: list(d.labels) if isinstance(d, Choice) else None for path, d in space.domains})
    display = Display(console, space.search.metric, MODES[space.search.metric])
    try:
        with cluster.connected(session.address, folder, data), display:
            check_resources(space, cluster.nodes())
            engine.run(Experiment(space, data, folder, session.plugins, display, board, {}), deadline)
        about["wall_seconds"] = spent + time.time() - began  # its absence says that the run is not over
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        board.close()
        records.save_environment(folder, about | {"spent_seconds": spent + time.time() - began})
    return 0
