"""Two nodes in two network namespaces, with their own addresses and file systems, and one token."""

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
from conftest import FULL, Process, all_processes
from test_driver import ADAPTIVE, ended, trained
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
    isolation = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

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


# The head has no CPU for students. The search runs there, and only there is the folder of the tests visible. A search
# that was killed is started again by the same command.
HEAD_SCRIPT = """
$RAY_START --num-cpus=0 --head --node-ip-address={head} --port={port} --temp-dir=$PRIVATE --include-dashboard=false
search() {{ code=0; {python} -m search.run {space} --address {head}:{port} "$@" || code=$?; }}
code=137
while [ $code = 137 ]; do search --out {folder} >> {folder}.txt 2>&1; done
echo $code > {folder}.code
RAY_AUTH_TOKEN= HOME=/nowhere search --out {folder}.stranger > {folder}.stranger.txt 2>&1
exit $code
"""
NODE_SCRIPT = """
mkdir $PRIVATE/code
cp -r {root}/spaces $PRIVATE/code
{change}
mount --bind $PRIVATE/code/spaces {root}/spaces
mount -t tmpfs tmpfs {hidden}
$RAY_START --num-cpus=1 --address={head}:{port} --node-ip-address={other}
sleep infinity
"""
SEARCH = f"{sys.executable} -m search.run"
OTHER_CODE = "echo '# changed' >> $PRIVATE/code/spaces/errors.py"
SPACES = {
    "grid": {},
    "TPE + ASHA with confirm": {
        **ADAPTIVE,
        "teacher": {"model": {"name": "mlp", "hidden": [93]}, "train": {"epochs": 12, "batch_size": 4}},
        "confirm": {"top": 1, "seeds": [5, 6]},
        "resources": {"workers": 1},  # proposals then do not depend on the order in which students end
    },
}
STAGES = ("start", "teacher", "explore", "confirm", "baseline", "tables")
# Moments: the stage of a search, and an event of the cluster in it.
START = [("start", "join other code"), ("start", "join")]
FEW_MOMENTS = [*START, ("explore", "kill node"), ("explore", "join")]
MOMENTS = {
    "grid": [*FEW_MOMENTS, ("explore", "join"), ("explore", "kill worker"), ("explore", "kill node")],
    "TPE + ASHA with confirm": [
        *[*START, ("teacher", "kill node"), ("teacher", "join"), ("explore", "kill worker"), ("explore", "join")],
        *[("explore", "kill node"), ("explore", "kill driver"), ("explore", "join other code")],
        *[("confirm", "kill worker"), ("confirm", "kill node"), ("confirm", "join"), ("tables", "kill driver")],
    ],
}


class Cluster:
    """A search on a head without CPUs, and nodes that train."""

    def __init__(self, inside: Callable[..., subprocess.Popen[str]], space: Path, folder: Path, places: Path) -> None:
        self.inside, self.folder, self.teachers = inside, folder, places / "teachers"
        self.names = {"head": HEAD, "other": OTHER, "port": PORT, "python": sys.executable, "root": ROOT}
        self.names |= {"space": space, "folder": folder, "hidden": places}
        self.caches = {"KD_CACHE": str(self.teachers), "XDG_CACHE_HOME": str(places / "nothing")}
        self.cached = set(self.teachers.glob("*"))
        self.nodes: list[subprocess.Popen[str]] = []
        self.log = folder.with_suffix(".log")
        self.head = inside(0, HEAD_SCRIPT.format(**self.names), self.log, **self.caches)
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", SPACES if FULL else ["TPE + ASHA with confirm"])
def test_nodes_that_share_no_disk_come_and_go(kind, inside, places, tmp_path, slow_space, start, assert_same, tally):
    """A search on nodes that join and die, also with other code, has the students of one node, bit for bit."""
    space = slow_space(tmp_path, **SPACES[kind])
    cluster, events, lost, epochs = Cluster(inside, space, tmp_path / "run", places), 0, 0, 0
    moments = MOMENTS[kind] if FULL else FEW_MOMENTS
    for stage, event in moments:
        cluster.wait_for_moment(stage, epochs)
        before = ended(cluster.folder)
        getattr(cluster, event.replace(" ", "_"))()
        after, epochs = ended(cluster.folder), trained(cluster.folder)
        lost += sum(after.get(trial) != past for trial, past in before.items())
        events += not cluster.exit_code()
    assert cluster.head.wait(900) == 2
    output = cluster.output()
    assert cluster.exit_code() == "0" and "Traceback" not in output, output
    refused = cluster.folder.with_suffix(".stranger.txt").read_text()
    assert "no token" in refused and "Traceback" not in refused
    undisturbed = start(space, tmp_path / "undisturbed")
    assert undisturbed.wait() == 0, undisturbed.output()
    assert_same(cluster.folder, tmp_path / "undisturbed")
    repeated = trained(cluster.folder) - trained(tmp_path / "undisturbed")
    kills = sum("kill" in event for _, event in moments)
    assert repeated <= kills
    assert events == len(moments) if FULL else events >= len(START)  # all, on an idle machine
    note = f"{kills} kills of workers, nodes and the driver; other code is refused"
    tally(
        f"nodes without a shared disk that come and go, {kind}", tries=events, lost=lost, repeated=repeated, note=note
    )
