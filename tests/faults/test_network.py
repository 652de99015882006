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
from conftest import only_in_full

ROOT = Path(__file__).parents[2]
HEAD, OTHER, PORT = "10.213.7.1", "10.213.7.2", 6379
RAY = [sys.executable, "-m", "ray.scripts.scripts", "start", "--num-cpus=1", "--object-store-memory=90000000"]


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
    end = time.monotonic() + 240
    while not ready():
        assert process.poll() is None and time.monotonic() < end, log.read_text()
        time.sleep(0.1)


# The searches run on the head node and share its file system.
SEARCHES = """
$RAY_START --head --node-ip-address={head} --port={port} --temp-dir=$PRIVATE --include-dashboard=false
touch {flags}/head
until [ -e {flags}/other ]; do sleep 0.2; done
search() {{ {python} -m search.run {space} --address {head}:{port} --out "$@"; }}
code=0; search $PRIVATE/run > {flags}/private.txt 2>&1 || code=$?; echo $code >> {flags}/private.txt
code=0; RAY_AUTH_TOKEN= HOME=/nowhere search {out} > {flags}/stranger.txt 2>&1 || code=$?
echo $code >> {flags}/stranger.txt
search {out}
"""
JOIN = """
$RAY_START --address={head}:{port} --node-ip-address={other}
touch {flags}/other
sleep infinity
"""


@pytest.mark.slow
@only_in_full
def test_two_nodes_with_their_own_addresses_and_disks(inside, grid, places, tmp_path, slow_space, assert_same, tally):
    space, out, logs = slow_space(tmp_path), tmp_path / "run", (tmp_path / "head.txt", tmp_path / "other.txt")
    names = {"head": HEAD, "other": OTHER, "port": PORT, "flags": tmp_path, "python": sys.executable}
    caches = {"KD_CACHE": str(places / "teachers"), "XDG_CACHE_HOME": str(places / "nothing")}
    head = inside(0, SEARCHES.format(space=space, out=out, **names), logs[0], **caches)
    until((tmp_path / "head").exists, head, logs[0])
    second = inside(1, JOIN.format(**names), logs[1], **caches)
    until((tmp_path / "other").exists, second, logs[1])
    assert head.wait(900) == 0, logs[0].read_text()
    refused, stranger = (tmp_path / "private.txt").read_text(), (tmp_path / "stranger.txt").read_text()
    assert refused.endswith("2\n") and "Traceback" not in refused, refused
    assert f"{OTHER}: the folder is not shared" in refused and f"{HEAD}: " not in refused
    assert stranger.endswith("2\n") and "no token" in stranger, stranger
    assert_same(out, grid)
    tally("two nodes with their own addresses and disks", tries=3, note="a folder not shared and a stranger refused")
