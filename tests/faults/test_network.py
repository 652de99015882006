"""Two nodes in two network namespaces, with their own addresses and file systems, and one token."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from conftest import FULL
from test_driver import trained

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


def until(ready: Callable[[], bool], process: subprocess.Popen[str], log: Path) -> None:
    end = time.monotonic() + 900
    while not ready():
        assert process.poll() is None and time.monotonic() < end, log.read_text()
        time.sleep(0.1)


# The head has no CPU for students. The searches run there, and only there is the folder of the tests visible.
HEAD_SCRIPT = """
$RAY_START --num-cpus=0 --head --node-ip-address={head} --port={port} --temp-dir=$PRIVATE --include-dashboard=false
touch {flags}/head
search() {{ code=0; {python} -m search.run "$@" --address {head}:{port} > {flags}/$name.txt 2>&1 || code=$?; }}
name=grid; search {grid} --out {flags}/grid
echo $code > {flags}/grid.code
name=tpe; [ ! -e {tpe} ] || search {tpe} --out {flags}/tpe
name=stranger; RAY_AUTH_TOKEN= HOME=/nowhere search {grid} --out {flags}/stranger
exit $code
"""
OTHER_SCRIPT = """
mkdir $PRIVATE/code
cp -r {root}/spaces $PRIVATE/code
{change}
mount --bind $PRIVATE/code/spaces {root}/spaces
mount -t tmpfs tmpfs {hidden}
$RAY_START --num-cpus=1 --address={head}:{port} --node-ip-address={other}
sleep infinity
"""
TPE = {
    "method": {"name": "hinton", "alpha": {"uniform": [0, 1]}, "temperature": 4},
    "search": {"algorithm": "tpe", "scheduler": "asha", "trials": 6},
    "confirm": {"top": 1, "seeds": [7]},
    "resources": {"workers": 1},  # proposals then do not depend on the order in which students end
    **{"seeds": [0], "table": None},
}


@pytest.mark.slow
def test_nodes_that_share_no_disk_come_and_go(inside, grid, places, tmp_path, slow_space, start, assert_same, tally):
    """A node with other code is refused. One without the folder trains, dies, and another one goes on."""
    space, log = slow_space(tmp_path), tmp_path / "head.txt"
    names = {"head": HEAD, "other": OTHER, "port": PORT, "flags": tmp_path, "python": sys.executable, "root": ROOT}
    names |= {"grid": space, "tpe": tmp_path / "tpe" / "slow.yaml", "hidden": places}
    if FULL:
        slow_space(tmp_path / "tpe", **TPE)
    caches = {"KD_CACHE": str(places / "teachers"), "XDG_CACHE_HOME": str(places / "nothing")}

    def join(change: str = "true") -> subprocess.Popen[str]:
        return inside(1, OTHER_SCRIPT.format(change=change, **names), tmp_path / f"{uuid.uuid4().hex}.txt", **caches)

    def output() -> str:
        return (tmp_path / "grid.txt").read_text()

    head = inside(0, HEAD_SCRIPT.format(**names), log, **caches)
    until((tmp_path / "head").exists, head, log)
    until(lambda: (tmp_path / "grid.txt").exists() and "waiting for a node with 1 CPUs" in output(), head, log)
    join("echo '# changed' >> $PRIVATE/code/spaces/errors.py")
    until(lambda: f"node {OTHER}: trains no students: code " in output(), head, log)
    first = join()
    until(lambda: trained(tmp_path / "grid") >= 5, head, log)
    first.kill()
    until(lambda: "its worker process died; it goes on from its last epoch" in output(), head, log)
    second = join()
    until((tmp_path / "grid.code").exists, head, log)
    assert (tmp_path / "grid.code").read_text() == "0\n", output()
    assert "Traceback" not in output() and output().count("joined the search") == 2
    assert_same(tmp_path / "grid", grid)
    repeated = trained(tmp_path / "grid") - trained(grid)
    assert repeated <= 1
    assert head.wait(900) == 2 and second.poll() is None
    refused = (tmp_path / "stranger.txt").read_text()
    assert "no token" in refused and "Traceback" not in refused
    if FULL:
        alone = start(tmp_path / "tpe" / "slow.yaml", tmp_path / "alone")
        assert alone.wait() == 0, alone.output()
        assert_same(tmp_path / "tpe", tmp_path / "alone")
    tally("nodes without a shared disk that come and go", tries=1, repeated=repeated, note="other code is refused")
