"""Two nodes in two network namespaces, with their own addresses and file systems, one token, and a search on them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import pytest
from conftest import Process, all_processes
from test_driver import trained
from test_ray import WORKER

from results import paths
from results.students import histories

ROOT = Path(__file__).parents[2]
HEAD, OTHER, PORT = "10.213.7.1", "10.213.7.2", 6379
RAY = [sys.executable, "-m", "ray.scripts.scripts", "start", "--object-store-memory=90000000"]


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.stderr.strip())


def create_network(names: tuple[str, str]) -> None:
    """Create two namespaces with one address each, connected by a virtual cable."""
    ends = [f"kd{name[-8:]}" for name in names]
    for name in names:
        ip("netns", "add", name)
    ip("link", "add", ends[0], "netns", names[0], "type", "veth", "peer", "name", ends[1], "netns", names[1])
    for name, end, address, peer in zip(names, ends, (HEAD, OTHER), (OTHER, HEAD), strict=True):
        ip("-n", name, "addr", "add", f"{address}/24", "dev", end)
        for device in ("lo", end):
            ip("-n", name, "link", "set", device, "up")
        ip("-n", name, "route", "add", "default", "via", peer)  # Ray finds its own address by the routes


@pytest.fixture
def inside() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a script in one of two namespaces, with its own file system at /tmp/kd…; end it with the test."""
    names, processes = (f"kd-{uuid.uuid4().hex[:8]}", f"kd-{uuid.uuid4().hex[:8]}"), []
    private = mkdtemp(prefix="kd-", dir="/tmp")  # short, for Ray's sockets
    isolation = ["unshare", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]

    def start_script(number: int, script: str, log: Path, **more: str) -> subprocess.Popen[str]:
        command = [
            "ip",
            "netns",
            "exec",
            names[number],
            *isolation,
            "bash",
            "-euc",
            f"mount -t tmpfs tmpfs {private}; {script}",
        ]
        environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
        environment |= {"RAY_health_check_period_ms": "300"}  # a dead node is seen after five checks
        environment |= {"RAY_USAGE_STATS_ENABLED": "0", "PRIVATE": private, "RAY_START": " ".join(RAY), **more}
        with log.open("w") as file:
            processes.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file, text=True))
        return processes[-1]

    try:
        try:
            create_network(names)
            subprocess.run(
                ["ip", "netns", "exec", names[0], *isolation, "mount", "-t", "tmpfs", "x", private], check=True
            )
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no network namespaces here: {error}")
        yield start_script
    finally:
        for process in processes:
            process.kill()
            process.wait()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        Path(private).rmdir()


# The head has no CPU for students. The search runs there. A killed one is started again by the same command.
HEAD_SCRIPT = """
{mount}
$RAY_START --num-cpus=0 --head --node-ip-address={head} --port={port} --temp-dir=$PRIVATE --include-dashboard=false
search() {{ code=0; {python} -m search.run {space} --address {head}:{port} "$@" || code=$?; }}
code=137
while [ $code = 137 ]; do search --out {out} >> {folder}.txt 2>&1; done
echo $code > {folder}.code
{last}
exit $code
"""
NODE_SCRIPT = """
mkdir $PRIVATE/code
cp -r {root}/spaces $PRIVATE/code
{change}
mount --bind $PRIVATE/code/spaces {root}/spaces
{mount}
$RAY_START --num-cpus=1 --address={head}:{port} --node-ip-address={other}
sleep infinity
"""
STAGES = ("start", "teacher", "explore", "confirm", "baseline", "tables")
SEARCH = f"{sys.executable} -m search.run"
OTHER_CODE = "echo '# changed' >> $PRIVATE/code/spaces/errors.py"


class Cluster:
    """A search on a head without CPUs, and nodes that train.

    `folder` and `teachers` are where the tests find its files, `out` and `cache` where its nodes do; `mounts` are
    commands of the head and of the other nodes, and `last` is one of the head after the search.
    """

    def __init__(
        self,
        inside: Callable[..., subprocess.Popen[str]],
        space: Path,
        folder: Path,
        teachers: Path,
        *,
        mounts: tuple[str, str],
        out: Path | None = None,
        cache: Path | None = None,
        last: str = "",
    ) -> None:
        self.inside, self.folder, self.teachers = inside, folder, teachers
        self.names = {"head": HEAD, "other": OTHER, "port": PORT, "python": sys.executable, "root": ROOT}
        self.names |= {"space": space, "folder": folder, "out": out or folder, "mount": mounts[1]}
        self.caches = {"KD_CACHE": str(cache or teachers), "XDG_CACHE_HOME": str(teachers.with_name("nothing"))}
        self.cached = set(teachers.glob("*"))
        self.nodes: list[subprocess.Popen[str]] = []
        self.log = folder.with_suffix(".log")
        names = {**self.names, "mount": mounts[0], "last": last.format(**self.names)}
        self.head = inside(0, HEAD_SCRIPT.format(**names), self.log, **self.caches)
        self.wait_until(lambda: "waiting for a node with 1 CPUs" in self.output())

    def output(self) -> str:
        """Return the output of the search so far."""
        file = self.folder.with_suffix(".txt")
        return file.read_text() if file.exists() else ""

    def exit_code(self) -> str:
        """Return the exit code of the search, empty before its end."""
        file = self.folder.with_suffix(".code")
        return file.read_text().strip() if file.exists() else ""

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait for a condition, or for the end of the search."""
        end = time.monotonic() + 900
        while not (ready() or self.exit_code()):
            assert self.head.poll() is None and time.monotonic() < end, self.log.read_text() + self.output()
            time.sleep(0.05)

    def wait_for_moment(self, stage: str, epochs: int) -> None:
        """Wait for a stage; in one that trains students, until more epochs are trained.

        Without a node nothing is trained.
        """
        if not self.nodes:
            return
        index, explore = STAGES.index(stage), STAGES.index("explore")
        self.wait_until(
            lambda: (
                (now := self.stage()) >= index
                and (index < explore or STAGES[now] == "tables" or trained(self.folder) > epochs)
            )
        )

    def stage(self) -> int:
        """Return the index of the search's stage, read from its files."""
        begun = {"teacher"} if set(self.teachers.glob("*/checkpoint.safetensors")) - self.cached else set()
        begun |= {past.start["stage"] for past in histories(self.folder)}
        begun |= {"tables"} if paths.students_file(self.folder).exists() else set()
        return max((STAGES.index(name) for name in begun), default=0)

    def join(self) -> None:
        self._wait_for_line(": joined the search", self._start_node)

    def join_other_code(self) -> None:
        self._wait_for_line(f"node {OTHER}: trains no students: code ", lambda: self._start_node(OTHER_CODE))
        self.nodes.pop().kill()

    def kill_node(self) -> None:
        """Kill the node that joined first."""
        self._wait_for_line(": left the cluster", self.nodes.pop(0).kill)

    def kill_worker(self) -> None:
        self.wait_until(lambda: kill_first(self._pids(self.nodes[0], WORKER)))

    def kill_driver(self) -> None:
        """Kill the driver, a child of its supervisor, which then ends with 137."""
        searches = {
            process.pid: process.parent for process in processes_of(self.head) if process.title.startswith(SEARCH)
        }
        drivers = [pid for pid, parent in searches.items() if parent in searches]
        if kill_first(drivers):
            self.wait_until(lambda: not set(drivers).intersection(self._pids(self.head, "")))

    def _pids(self, node: subprocess.Popen[str], title: str) -> list[int]:
        return [process.pid for process in processes_of(node) if process.title.startswith(title)]

    def _wait_for_line(self, text: str, event: Callable[[], None]) -> None:
        """Do something and wait for another line with a text."""
        count = self.output().count(text)
        event()
        self.wait_until(lambda: self.output().count(text) > count)

    def _start_node(self, change: str = "true") -> None:
        log = self.folder.with_name(f"{uuid.uuid4().hex}.txt")
        self.nodes.append(self.inside(1, NODE_SCRIPT.format(change=change, **self.names), log, **self.caches))


def processes_of(node: subprocess.Popen[str]) -> list[Process]:
    """Return the processes in the network of a node."""
    network, processes = Path(f"/proc/{node.pid}/ns/net").stat().st_ino, []
    for process in all_processes():
        with suppress(OSError):
            if Path(f"/proc/{process.pid}/ns/net").stat().st_ino == network:
                processes.append(process)
    return processes


def kill_first(pids: Iterable[int]) -> bool:
    """Send SIGKILL to the first process; return False if there is none."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
    return False
