"""Fixtures of all tests, and a limit of the processor time of each suite."""

from __future__ import annotations

import importlib.util
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import hypothesis
import pytest
from rich.console import Console
from xdist.scheduler import LoadFileScheduling

# For a busy machine: Ray gives up on a slow start, and gives its workers less of a processor than any other process.
os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")
os.environ.setdefault("RAY_worker_niceness", "0")

# A deadline of 200 ms for an example would fail on a busy machine.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

# Processor seconds of a whole suite, by its marker expression in the Makefile: about twice what it took on a slow
# machine. Wall time would depend on what else the machine does. Before a limit is raised, look for tests that check one
# thing many times, or start a process for it.
LIMITS_SECONDS = {"not slow": 2400, "slow and not alone": 6000, "slow and alone": 1500}


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a suite that takes more processor time than its limit."""
    if hasattr(session.config, "workerinput"):
        return  # a worker of pytest-xdist: it is counted where it has ended
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)  # children that have ended, with their own
    seconds = sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)
    limit = LIMITS_SECONDS.get(session.config.option.markexpr, float("inf"))
    print(f"\nprocessor time: {seconds:.0f} s" + (f" of at most {limit} s" if limit < float("inf") else ""))
    if seconds > limit:
        print("too much: see LIMITS_SECONDS in tests/conftest.py")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


class FilesAndPages(LoadFileScheduling):
    """The tests of a file run in one process, but not those of the pages: together they take a third of all."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if "test_every_block_runs_as_printed[" in nodeid else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Return our scheduler in place of pytest-xdist's `loadfile`."""
    return FilesAndPages(config, log) if config.option.dist == "loadfile" else None


@pytest.fixture
def read_only() -> Callable[[Path], AbstractContextManager[None]]:
    """Return a context manager that mounts a folder read-only, for root too.

    Skips the test where mounting is not allowed.
    """

    @contextmanager
    def mounted(folder: Path) -> Iterator[None]:
        mount = subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], capture_output=True, text=True)
        if mount.returncode:
            pytest.skip(f"nothing can be mounted here: {mount.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(["umount", "-l", folder], check=True)

    return mounted


@pytest.fixture(scope="session")
def skip_without() -> Callable[..., None]:
    """Return a function that skips a test without some tools; with KD_CLUSTER=required the test fails."""

    def check(**tools: object) -> None:
        if missing := [name for name, present in tools.items() if not present]:
            (pytest.fail if os.environ.get("KD_CLUSTER") == "required" else pytest.skip)(f"needs {', '.join(missing)}")

    return check


@pytest.fixture
def timm_installed() -> None:
    """Skip a test where timm is missing.

    It is not imported here: `trainables.models.torchvision_import` comes first.
    """
    if importlib.util.find_spec("timm") is None:
        pytest.skip("timm is not installed")


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an S3-compatible server; return its address."""
    log = tmp_path_factory.mktemp("s3") / "log.txt"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with open(log, "w") as file, subprocess.Popen(command, stdout=file, stderr=file) as server:
        while not (address := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
            assert server.poll() is None, log.read_text()
            time.sleep(0.05)
        yield address[0]
        server.kill()


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URI of a new bucket, with its endpoint and credentials in the environment."""
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    with urlopen(Request(f"{s3_endpoint}/{name}", method="PUT")):
        pass
    for variable in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return f"s3://{name}"


class Terminal:
    """A terminal of tmux, on a server of its own."""

    def __init__(self, width: int, height: int, command: str, folder: Path):
        self.server, self.environment = f"test-{uuid.uuid4().hex}", os.environ | {"LC_ALL": "C.UTF-8"}
        size = ["-x", str(width), "-y", str(height)]
        self.tmux("-f", os.devnull, "new-session", "-d", *size, "-c", str(folder), command)
        self.socket = Path(self.tmux("display-message", "-p", "#{socket_path}").strip())
        tty = open(self.tmux("display-message", "-p", "#{pane_tty}").strip(), "w")  # noqa: SIM115
        self.console = Console(file=tty, width=width, height=height, _environ={"TERM": "xterm-256color"})

    def tmux(self, *words: str) -> str:
        """Run a command of tmux; return what it prints."""
        command = ["tmux", "-u", "-L", self.server, *words]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def lines(self, *flags: str) -> list[str]:
        """Return the screen without the empty lines at its end; `-J` joins wrapped lines, `-e` keeps colors."""
        return self.tmux("capture-pane", "-p", *flags).rstrip("\n").split("\n")

    def wait(self, is_shown: Callable[[list[str]], bool], seconds: float = 120) -> list[str]:
        """Return the screen as soon as it is as expected: tmux reads what is written in its own time."""
        end = time.monotonic() + seconds
        while not is_shown(lines := self.lines()):
            assert time.monotonic() < end, "\n".join(["the screen shows", *lines])
            time.sleep(0.05)
        return lines


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Return a function that opens a terminal, in which a command runs. Skips the test without tmux."""
    if shutil.which("tmux") is None:
        pytest.skip("needs tmux")
    terminals: list[Terminal] = []

    def opened(width: int, height: int, command: str = "sleep 3600", folder: Path = tmp_path) -> Terminal:
        terminals.append(Terminal(width, height, command, folder))
        return terminals[-1]

    yield opened
    for shown in terminals:
        shown.console.file.close()
        shown.tmux("kill-server")
        shown.socket.unlink(missing_ok=True)  # tmux leaves it
