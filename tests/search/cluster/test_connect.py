"""A cluster of two nodes on this machine, and addresses without a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas
import pytest

from results import paths, records
from search.cluster import connect
from spaces.errors import UserError

ROOT = Path(__file__).parent.parent.parent.parent

# Ray's own test cluster, in a process that ends with its standard input. Other Rays on this machine are not touched.
NODES = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 80 * 2**20})
cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("cluster") / "stderr.txt"
    with open(log, "w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", NODES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, **TOKEN, "RAY_USAGE_STATS_ENABLED": "0"},
            cwd=ROOT,
        )
    assert process.stdin is not None and process.stdout is not None
    lines = (line.strip() for line in process.stdout)
    address = next((line for line in lines if line.count(":") == 1 and line.rpartition(":")[2].isdigit()), None)
    assert address is not None, log.read_text()
    yield address
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


def search(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "search.run", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **TOKEN}, capture_output=True, text=True, timeout=200)


@pytest.mark.slow
def test_a_grid_on_a_cluster_of_two_nodes(address, write, tmp_path):
    space = write(tmp_path / "x.yaml", seeds=[0, 1], train={"epochs": 2, "batch_size": 64})
    done = search(space, "--out", tmp_path / "run", "--address", address)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = pandas.read_csv(paths.students_file(tmp_path / "run"))
    assert len(lines) == 6 and set(lines["status"]) == {"finished"}
    assert f"--address {address}" in records.read_environment(tmp_path / "run")["command"]


@pytest.mark.slow
def test_a_cluster_stays_after_a_run(address, write, tmp_path):
    space = write(tmp_path / "x.yaml", method={"name": "none"}, train={"epochs": 1})
    for name in ("first", "second"):
        done = search(space, "--out", tmp_path / name, "--address", address)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_an_unreachable_address_ends_the_run_soon_with_one_line(write, tmp_path):
    began = time.monotonic()
    done = search(write(tmp_path / "x.yaml"), "--out", tmp_path / "run", "--address", "127.0.0.1:9")
    assert time.monotonic() - began < 60
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("--address 127.0.0.1:9: no Ray cluster answers there") and "ray start --head" in line


@pytest.mark.parametrize("address", ["127.0.0.1:9", "127.0.0.1", "nowhere.invalid:6379", "127.0.0.1:99999"])
def test_a_wrong_address_is_named(digits, address):
    began = time.monotonic()
    message = f"--address {address}: no Ray cluster answers there"
    with pytest.raises(UserError, match=message), connect.connected_to_ray(address, digits):
        pass
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ray://head:10001", "expected head:6379, from a node of the cluster"),
        ("http://head:8265", "submit it: ray job submit --address http://head:8265"),
    ],
)
def test_another_protocol_is_refused_in_one_line(digits, address, expected):
    with pytest.raises(UserError) as refused, connect.connected_to_ray(address, digits):
        pass
    assert str(refused.value).startswith(f"--address {address}: ") and expected in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_signal_during_the_start_of_ray_is_an_interrupt(monkeypatch):
    """Ray installs a SIGTERM handler that raises SystemExit."""
    handler = signal.signal(signal.SIGTERM, signal.default_int_handler)

    def init(**_):
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(connect.ray, "init", init)
    try:
        with pytest.raises(KeyboardInterrupt):
            connect._init_ray()
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, handler)
