"""`python -m search.run` as a process of its own, and all the processes that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pandas
import pytest
from filelock import FileLock

from results import records, students
from results.students import histories

signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts these tests in the background ignores it

ROOT = Path(__file__).parent.parent.parent.parent
MARK = "KD_TEST_RUN"
PATIENCE = (
    600.0  # seconds for what takes some on a machine of one's own: on a busy one, Ray alone needs minutes to start
)


class Process(NamedTuple):
    """One process of this machine; a later one with the same number began at another time."""

    pid: int
    parent: int
    began: str
    title: str


class Run:
    """A search at work, in a process group of its own as in a terminal; what it says is in `said()`."""

    def __init__(self, space: Path, out: Path, *flags: str, log: Path, places: Path):
        self.log, self.mark = log, f"{MARK}={uuid.uuid4().hex}"
        name, _, value = self.mark.partition("=")
        command = [sys.executable, "-m", "search.run", str(space), "--out", str(out), *flags]
        with open(log, "w") as file:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment(places) | {name: value},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.known: set[Process] = set()

    def said(self) -> str:
        return self.log.read_text()

    def wait(self, seconds: float = PATIENCE) -> int:
        """The exit code; a TimeoutExpired where it takes longer."""
        return self.process.wait(seconds)

    def family(self) -> set[Process]:
        """The living processes that this run started, whoever is their parent by now."""
        everyone = list(processes())
        found = {self.process.pid, *(each.pid for each in self.known)}
        for _ in range(5):  # deeper than any of Ray's trees
            found |= {each.pid for each in everyone if each.parent in found}
        known = {(each.pid, each.began) for each in self.known}
        mine = {each for each in everyone if (each.pid, each.began) in known or self._marked(each.pid)}
        mine |= {each for each in everyone if each.parent in found and self.process.poll() is None}
        self.known |= mine
        return mine

    def _marked(self, pid: int) -> bool:
        try:
            return self.mark.encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False

    def until(self, ready: Callable[[], bool], seconds: float = PATIENCE) -> None:
        """Wait for a moment in the run; fails where the run ends before."""
        end = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None, f"ended before its time:\n{self.said()}"
            assert time.monotonic() < end, f"never came to this:\n{self.said()}"
            time.sleep(0.02)
        self.family()

    def alone(self, seconds: float = 30) -> set[Process]:
        """The processes that are left when the run has ended and had some time to be followed."""
        end = time.monotonic() + seconds
        while (left := self.family()) and time.monotonic() < end:
            time.sleep(0.1)
        return left

    def kill(self) -> None:
        """SIGKILL for the whole process group, and for nobody else."""
        self.family()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def environment(places: Path) -> dict[str, str]:
    """Caches among the tests, and no data root."""
    kept = {name: value for name, value in os.environ.items() if name != "KD_DATA"}
    patient = {"RAY_raylet_start_wait_time_s": "120"}  # on a machine that others keep busy
    return kept | patient | {"KD_CACHE": str(places / "teachers"), "XDG_CACHE_HOME": str(places / "nothing")}


def processes() -> Iterator[Process]:
    """Every process of this machine but the dead that nobody has buried yet."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            yield Process(int(folder.name), int(fields[1]), fields[19], title)


@pytest.fixture(scope="session")
def start(places: Path, tmp_path_factory) -> Iterator[Callable[..., Run]]:
    """Starts searches; none of them outlives the tests."""
    begun: list[Run] = []

    def started(space: Path, out: Path, *flags: str) -> Run:
        begun.append(Run(space, out, *flags, log=tmp_path_factory.mktemp("log") / "said.txt", places=places))
        return begun[-1]

    yield started
    for each in begun:
        each.kill()


# Slow enough to be caught in the middle: some tenths of a second an epoch.
SLOW = {"train": {"epochs": 4, "batch_size": 4}, "seeds": [0, 1]}
TABLE = {"rows": "method.alpha", "columns": "method.temperature"}


@pytest.fixture(scope="session")
def slow_space(write: Callable[..., Path]) -> Callable[..., Path]:
    """A table of two alphas, two temperatures and two seeds: six students of four epochs."""
    return lambda folder, **parts: write(folder / "slow.yaml", table=TABLE, **{**SLOW, **parts})


@pytest.fixture(scope="session")
def grid(shared: Path, start: Callable[..., Run], slow_space: Callable[..., Path]) -> Path:
    """The slow space, run once and undisturbed for all tests; only to be read or copied."""
    folder = shared / "grid"
    with FileLock(shared / "grid.lock"):
        if "wall_seconds" not in records.environment(folder):
            run = start(slow_space(shared), folder)
            assert run.wait() == 0, run.said()
    return folder


def numbers(folder: Path) -> tuple[pandas.DataFrame, pandas.DataFrame, dict[str, bytes]]:
    """Everything that must be the same however often a run was cut off: all but the seconds it took."""
    table = students.read(folder).drop(columns=["train_seconds", "latency_ms"])
    curves = students.epochs(folder).drop(columns=["seconds", "time"])
    weights = {trial: records.weights_file(folder, trial).read_bytes() for trial in records.trials(folder)}
    return table, curves, weights


@pytest.fixture(scope="session")
def same() -> Callable[[Path, Path], None]:
    """Asserts that two experiments have the same students, bit for bit."""

    def compared(folder: Path, other: Path) -> None:
        for mine, theirs in zip(numbers(folder)[:2], numbers(other)[:2], strict=True):
            pandas.testing.assert_frame_equal(mine, theirs, check_exact=True)
        assert numbers(folder)[2] == numbers(other)[2]

    return compared


@pytest.fixture(scope="session")
def halfway() -> Callable[[Path], bool]:
    """Whether some student is in the middle of its epochs."""
    return lambda folder: any(not past.end and 1 <= len(past.epochs) <= 2 for past in histories(folder))


@pytest.fixture(scope="session")
def rows() -> Callable[[Path], dict[str, list[dict[str, Any]]]]:
    """All rows of an experiment by student."""
    return lambda folder: {trial: records.rows(folder, trial) for trial in records.trials(folder)}
