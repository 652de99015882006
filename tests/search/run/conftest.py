"""`python -m search.run` as a process, with all processes that it starts, or in this process on one Ray for a file.

A process of its own costs 15 s of processor time, most of it for imports and the start of Ray. It is for tests of
signals, processes and Ray. All others take `search_here`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pandas
import pytest
from filelock import FileLock

from results import paths, records, students
from results.students import histories
from search.cluster import connect
from search.cluster.scratch import scratch_folder
from search.cluster.signals import INTERRUPTED_EXIT_CODE
from search.launch import main
from trainables import plugin
from trainables.data import DATASETS
from trainables.methods import METHODS
from trainables.models import MODELS

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in background jobs

ROOT = Path(__file__).parents[3]
MARK = "KD_TEST_RUN"
PROGRAM = ("-m", "search.run")
TIMEOUT_SECONDS = 600.0  # for a few seconds of work: on a busy machine Ray alone needs minutes to start
PATIENCE = {"RAY_health_check_failure_threshold": "100"}  # a node taken for dead would end the process of the tests
# The fewest and smallest steps are timed: the seconds of a plan are tested beside it.
QUICK_PLAN = {"TIMING_SECONDS": 0.0, "OPTIONS_SECONDS": 0.0, "MAX_STEP_MACS": 10**7}
ENDING_SECONDS = 150.0  # for the ends of processes: a moment on an idle machine


class Process(NamedTuple):
    """One process of this machine; a reused process id has another start time."""

    pid: int
    parent: int
    group: int
    start_time: str
    title: str


class Run:
    """A running search, in its own process group as in a terminal."""

    def __init__(
        self, space: Path, out: Path | str, *flags: str, log: Path, places: Path, program: Sequence[str] = PROGRAM
    ):
        self.log, self.mark = log, f"{MARK}={uuid.uuid4().hex}"
        name, _, value = self.mark.partition("=")
        command = [sys.executable, *program, str(space), "--out", str(out), *flags]
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
        self.seen: set[Process] = set()

    def output(self) -> str:
        """Return the standard output and error so far."""
        return self.log.read_text()

    def wait(self, seconds: float = TIMEOUT_SECONDS) -> int:
        """Return the exit code; raise TimeoutExpired after `seconds`."""
        return self.process.wait(seconds)

    def living_processes(self) -> set[Process]:
        """Return the living processes of this run, also those with another parent by now."""
        candidates = list(all_processes())
        pids = {self.process.pid, *(process.pid for process in self.seen)}
        for _ in range(5):  # deeper than any process tree of Ray
            pids |= {process.pid for process in candidates if process.parent in pids}
        seen = {(process.pid, process.start_time) for process in self.seen}
        own = {
            process
            for process in candidates
            if (process.pid, process.start_time) in seen or has_mark(process.pid, self.mark)
        }
        own |= {process for process in candidates if process.parent in pids and self.process.poll() is None}
        self.seen |= own
        return own

    def wait_until(self, ready: Callable[[], bool], seconds: float = TIMEOUT_SECONDS) -> None:
        """Wait for a condition during the run; fail if the run ends first."""
        end = time.monotonic() + seconds
        while not ready():
            assert self.process.poll() is None, f"ended too early:\n{self.output()}"
            assert time.monotonic() < end, f"timed out:\n{self.output()}"
            time.sleep(0.02)
        self.living_processes()

    def remaining_processes(self) -> set[Process]:
        """Return the processes that live longer than the run by ENDING_SECONDS."""
        return remaining(self.living_processes)

    def kill(self) -> None:
        """Send SIGKILL to the process group of this run."""
        if self.process.poll() is not None:
            return
        self.living_processes()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        # the driver is another process of the group: until it has ended, it holds the lock of its folder
        assert not remaining(lambda: {process for process in all_processes() if process.group == self.process.pid})


def environment(places: Path) -> dict[str, str]:
    """Return variables with the caches of the tests and without a data root."""
    inherited = {name: value for name, value in os.environ.items() if name != "KD_DATA"}
    return inherited | {"KD_CACHE": str(places / "teachers"), "XDG_CACHE_HOME": str(places / "nothing")}


def all_processes() -> Iterator[Process]:
    """Yield the processes of this machine, without zombies.

    While other threads of a killed process are still ending, and with them its locks, its first thread is a zombie.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z" or int(fields[17]) > 1:
            yield Process(int(folder.name), int(fields[1]), int(fields[2]), fields[19], title)


def has_mark(pid: int, mark: str) -> bool:
    """Return True for a process with "NAME=VALUE" in its environment."""
    try:
        return mark.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


def remaining(living: Callable[[], set[Process]]) -> set[Process]:
    """Wait until no process lives; return those that do after ENDING_SECONDS."""
    end = time.monotonic() + ENDING_SECONDS
    while (processes := living()) and time.monotonic() < end:
        time.sleep(0.1)
    return processes


@pytest.fixture(scope="session")
def start(places: Path, tmp_path_factory) -> Iterator[Callable[..., Run]]:
    """Start searches; kill them after the tests."""
    runs: list[Run] = []

    def start_run(space: Path, out: Path | str, *flags: str, **options: Any) -> Run:
        log = tmp_path_factory.mktemp("log") / "output.txt"
        runs.append(Run(space, out, *flags, log=log, **{"places": places, **options}))
        return runs[-1]

    yield start_run
    for run in runs:
        run.kill()


# Slow enough for an interruption: some tenths of a second per epoch.
SLOW = {"train": {"epochs": 4, "batch_size": 4}, "seeds": [0, 1]}
TABLE = {"rows": "method.alpha", "columns": "method.temperature"}


@pytest.fixture(scope="session")
def slow_space(write: Callable[..., Path]) -> Callable[..., Path]:
    """Six students of four epochs: two alphas, two temperatures and two seeds."""
    return lambda folder, **parts: write(folder / "slow.yaml", table=TABLE, **{**SLOW, **parts})


@pytest.fixture(scope="session")
def grid(shared: Path, start: Callable[..., Run], slow_space: Callable[..., Path]) -> Path:
    """Folder of the slow space, trained once without interruption; read or copy it, never write to it."""
    folder = shared / "grid"
    with FileLock(shared / "grid.lock"):
        if "wall_seconds" not in records.read_environment(folder):
            run = start(slow_space(shared), folder)
            assert run.wait() == 0, run.output()
    return folder


def deterministic_results(folder: Path) -> tuple[pandas.DataFrame, pandas.DataFrame, dict[str, bytes]]:
    """Return everything that interruptions must not change: all but measured times."""
    table = students.read_students(folder).drop(columns=["train_seconds", "latency_ms"])
    curves = students.read_epochs(folder).drop(columns=["seconds", "time"])
    files = {trial: paths.weights_file(folder, trial) for trial in records.trial_names(folder)}
    weights = {trial: file.read_bytes() for trial, file in files.items() if file.exists()}  # a stopped one has none
    return table, curves, weights


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Path, Path], None]:
    """Assert that two experiments have equal students, bit for bit."""

    def compare(folder: Path, expected: Path) -> None:
        for table, other_table in zip(
            deterministic_results(folder)[:2], deterministic_results(expected)[:2], strict=True
        ):
            pandas.testing.assert_frame_equal(table, other_table, check_exact=True)
        assert deterministic_results(folder)[2] == deterministic_results(expected)[2]

    return compare


@pytest.fixture(scope="session")
def halfway() -> Callable[[Path], bool]:
    """Return True while a student is in the middle of its epochs."""
    return lambda folder: any(not past.end and 1 <= len(past.epochs) <= 2 for past in histories(folder))


@pytest.fixture(scope="session")
def rows() -> Callable[[Path], dict[str, list[dict[str, Any]]]]:
    """Return all rows of an experiment by student."""
    return lambda folder: {trial: records.read_rows(folder, trial) for trial in records.trial_names(folder)}


class Finished(NamedTuple):
    """End of a search in this process."""

    code: int
    output: str  # standard output and error


@pytest.fixture(scope="module")
def search_here(places: Path) -> Iterator[Callable[..., Finished]]:
    """Run searches in this process, one after another on one Ray with one CPU.

    Plugins are forgotten after each search. After the last one, the processes of Ray have ended, and environment
    variables and signal handlers are what they were.
    """
    registries = (METHODS, MODELS, DATASETS, plugin._loaded_sources, plugin._HELPERS.folders)

    def run(space: Path, folder: Path, *flags: object) -> Finished:
        output = StringIO()
        with warnings.catch_warnings(), redirect_stdout(output), redirect_stderr(output), unchanged(*registries):
            warnings.simplefilter("ignore")
            with mock.patch.multiple("search.plan.estimate", **QUICK_PLAN):
                code = main([str(word) for word in (space, "--out", folder, *flags)])
        if code == INTERRUPTED_EXIT_CODE:
            raise KeyboardInterrupt
        return Finished(code, output.getvalue())

    mark = uuid.uuid4().hex
    with unchanged(os.environ), unchanged_handlers(), scratch_folder() as temporary:
        os.environ.update(environment(places) | PATIENCE | {MARK: mark})
        os.environ.pop("KD_DATA", None)
        connect._start_private_ray(num_cpus=1, object_store_memory=2**28, _temp_dir=str(temporary))
        try:
            yield run
        finally:
            connect._shut_down_ray()
        assert not remaining(
            lambda: {process for process in all_processes() if has_mark(process.pid, f"{MARK}={mark}")}
        )


@contextmanager
def unchanged(*tables: MutableMapping) -> Iterator[None]:
    """Restore tables after the block."""
    with ExitStack() as stack:
        for table in tables:
            stack.enter_context(mock.patch.dict(table))
        yield


@contextmanager
def unchanged_handlers() -> Iterator[None]:
    """Restore signal handlers after the block."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.fixture
def command(capsys, monkeypatch):
    """Run the command line in this process; return exit code, standard output and standard error."""
    monkeypatch.setattr("search.driver.connected_to_ray", None)  # a command that gets this far fails

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    with unchanged_handlers(), mock.patch.multiple("search.plan.estimate", **QUICK_PLAN):
        yield run
