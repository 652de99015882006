"""One run of an experiment: its protocol, Ray, its stages, and the results drawn from whatever it left."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout
from rich.console import Console

from results import experiment as experiments
from results import records
from results import trackers as tracking
from results.terminal import show
from results.trackers.tensorboard import Board
from search import engine
from search.algorithms import MODES
from search.cluster import connect
from search.cluster.heartbeat import RayLostError
from search.cluster.supervisor import LOST, RESTARTS, RestartPlan, abandon, restart_plan
from search.environment import environment
from search.plan.check import check_resources
from search.repair import repair_folder
from search.trials.console import Display
from search.trials.tuner import Experiment
from spaces import disk
from spaces.domain import Choice
from spaces.errors import UserError
from spaces.space import Space
from trainables.data import Dataset

FAILED, INTERRUPTED = 3, 130  # exit codes


class Session(NamedTuple):
    """What to run, on what, where, in which precision where the space says auto, and the command that does it.

    `insecure` lets it join a cluster that has no token; `restarts` is how often a Ray of our own may be started anew.
    """

    space: Space
    data: Dataset
    folder: Path
    plugins: dict[str, str]
    address: str | None
    precision: str
    command: str
    insecure: bool = False
    restarts: int = RESTARTS


def conduct(session: Session, console: Console) -> int:
    """Train all students that are not done, then write and show the results; return the exit code."""
    session.folder.mkdir(parents=True, exist_ok=True)
    with disk.room(session.folder), alone(session.folder):
        for damage in repair_folder(session.folder):
            _say(console, damage)
        try:
            code = _train(session, console)
        except UserError:  # Ray does not start again, say: what there is gets its tables all the same
            with connect.undisturbed(), suppress(Exception):
                if records.trials(session.folder):
                    rebuild(session.folder)
            raise
        if code in (INTERRUPTED, LOST):
            _say(console, f"\nInterrupted. To go on: {session.command}")
        with connect.undisturbed():
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
    before, spent, began = records.environment(folder), earlier(folder), time.time()
    about: dict[str, Any] = environment(space, data, session.command, session.plugins)
    about["auto_precision"] = session.precision
    about |= {"started": before.get("started", about["started"]), "spent_seconds": spent}
    records.replace(records.space_file(folder), space.dump())
    records.save_environment(folder, about | {"running_since": began})
    deadline = began + space.search.hours * 3600 - spent if space.search.hours else float("inf")
    trackers = tracking.begin(space, folder, lambda line: console.print(line, markup=False, soft_wrap=True))
    board = Board(folder, {path: list(d.labels) if isinstance(d, Choice) else None for path, d in space.domains})
    display = Display(console, space.search.metric, MODES[space.search.metric])
    try:
        local = session.address is None
        experiment = Experiment(space, data, folder, session.plugins, display, board, trackers, {}, local)
        _stages(experiment, session, deadline)
        about["wall_seconds"] = spent + time.time() - began  # its absence says that the run is not over
    except KeyboardInterrupt:
        return INTERRUPTED
    except RayLostError as lost:
        _say(console, f"\n{lost}.")
        return LOST
    finally:
        board.close()
        trackers.close(folder, done="wall_seconds" in about)
        records.save_environment(folder, about | {"spent_seconds": spent + time.time() - began})
    return 0


def earlier(folder: Path) -> float:
    """Seconds that earlier runs took; of one that was killed, those until the last row it has left."""
    about = records.environment(folder)
    spent, since = about.get("spent_seconds", 0.0), about.get("running_since")
    if since is None:
        return spent
    rows = (row for trial in records.trials(folder) for row in records.rows(folder, trial))
    return spent + max((row["time"] - since for row in rows if row["time"] > since), default=0.0)


def _stages(experiment: Experiment, session: Session, deadline: float) -> None:
    """Run all stages; where a Ray of our own dies, another goes on from the rows, a bounded number of times."""
    for left in range(session.restarts if session.address is None else 0, -1, -1):
        try:
            give_up = partial(_give_up, session, experiment.display)
            joined = connect.connected(session.address, session.folder, session.data, give_up, session.insecure)
            with restart_plan(RestartPlan(str(session.folder), session.command, left)), joined, experiment.display:
                space = experiment.space.on(connect.nodes())
                check_resources(space, connect.nodes())
                records.replace(records.space_file(session.folder), space.dump())
                # Answers lie in the memory of the Ray they came from: another one asks the teachers' cache again.
                engine.run(experiment._replace(space=space, lessons={}), deadline)
            return
        except RayLostError as lost:
            if not left:
                raise
            _say(
                experiment.display.console,
                f"{lost}; it is started anew, and students go on from their last epochs",
            )


def _give_up(session: Session, display: Display, dead: str) -> None:
    """End this process, with the tables of what there is: its main thread waits for a Ray that will never answer."""
    try:
        display.progress.stop()
        abandon(dead)
        _say(display.console, f"\nRay's {dead} died. To go on: {session.command}")
        rebuild(session.folder)
    finally:
        sys.stdout.flush()
        os._exit(LOST)


def rebuild(folder: Path) -> experiments.Experiment:
    """Write the results of what there is."""
    from results import rebuild  # here: its plotting libraries take a second, for which a check need not wait

    return rebuild.rebuild(folder)


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
