"""What a search on many nodes shares: its driver, and the data that each node is sent: `python -m benchmarks.cluster`.

The driver is timed in real searches on this machine, by its processor time: the difference between a large and a small
search, tables included. The nodes are Ray's own, simulated on this machine, so its memory bounds what they are sent.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import below, name, repeated
from benchmarks.ours import Search, space
from trainables.device import describe

TINY: dict[str, Any] = {"data": "digits", "teacher_epochs": 0}
TINY |= {"student": {"name": "mlp", "hidden": [8]}, "teacher": {"name": "mlp", "hidden": [8]}}
MNIST = (60000, 28, 28)


class Load(NamedTuple):
    """What the driver does so many times more in the larger of two searches."""

    what: str
    small: Search
    large: Search
    times: int


LOADS = [
    Load("a student of one epoch, a Ray trial each", Search(20, pack=1, **TINY), Search(220, pack=1, **TINY), 200),
    Load("a student of one epoch, many to a Ray trial", Search(420, **TINY), Search(1260, **TINY), 840),
    Load("an epoch of a student", Search(20, pack=1, **TINY), Search(20, pack=1, epochs=51, **TINY), 1000),
]


def loads() -> Iterator[str]:
    """Rows of a Markdown table: processor time of the driver, and what it therefore keeps up with."""
    yield "| the driver, for | ms of a processor | so at most, a second |\n| --- | --- | --- |"
    for load in LOADS:
        spent = seconds(load.large) - seconds(load.small)
        yield f"| {load.what} | {1000 * spent / load.times:.1f} | {load.times / spent:,.0f} |"


def seconds(search: Search) -> float:
    """Processor seconds of the driver of a search."""
    with tempfile.TemporaryDirectory(prefix="kd-") as folder:
        file = Path(folder) / "space.yaml"
        file.write_text(space(search))
        command = [sys.executable, "-m", "search.run", str(file), "--out", f"{folder}/run"]
        own = {**os.environ, "KD_CACHE": f"{folder}/cache"}
        with (
            subprocess.Popen(command, stdout=subprocess.DEVNULL, env=own) as process,
            clock(process.pid) as read,
        ):
            if process.wait():
                raise subprocess.CalledProcessError(process.returncode, command)
        return max(read)


@contextmanager
def clock(pid: int) -> Iterator[list[float]]:
    """The processor seconds of the driver, itself or a child of the process, twice a second until it ends."""
    read = [0.0]
    with repeated(lambda: read.extend(spent(each) for each in (pid, *below(pid)) if "search.run" in name(each)), 0.5):
        yield read


def spent(pid: int) -> float:
    """Processor seconds of a process so far; 0 where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def broadcast(most: int) -> Iterator[str]:
    """Rows of a Markdown table: seconds until each of n nodes holds MNIST's training images."""
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    import ray  # reads the token as it is imported
    from ray.cluster_utils import Cluster

    images = np.zeros(MNIST, np.uint8)
    store = 4 * images.nbytes
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": store})
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        yield "| nodes besides the driver's | s until all have it | MB a second in all |\n| --- | --- | --- |"
        for nodes in (n for n in (1, 2, 4, 8, 16, 32) if n <= most):
            while len(cluster.worker_nodes) < nodes:
                cluster.add_node(num_cpus=1, object_store_memory=store)
            cluster.wait_for_nodes()
            took = min(_sent(images) for _ in range(3))
            yield f"| {nodes} | {took:.2f} | {nodes * images.nbytes / 1e6 / took:,.0f} |"
    finally:
        ray.shutdown()
        cluster.shutdown()


def _sent(images: np.ndarray) -> float:
    """Seconds from an object in the driver's store to one in every other node's, where a process waits for it."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look: Any = ray.remote(num_cpus=1)(lambda held: held is None or int(held[0, 0, 0]))
    nodes = [each["NodeID"] for each in ray.nodes() if each["Alive"] and each["Resources"].get("CPU")]
    tasks = [look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)) for node in nodes]
    ray.get([task.remote(None) for task in tasks])
    held = ray.put(images)
    began = perf_counter()
    ray.get([task.remote(held) for task in tasks])
    return perf_counter() - began


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--nodes", type=int, default=8, help="the most nodes to simulate")
    most = parser.parse_args().nodes
    megabytes = np.prod(MNIST) / 1e6
    when = f"{datetime.now(UTC):%Y-%m-%d}, {describe()}, {os.cpu_count()} cores"
    print(f"{when}, n = 1; of three broadcasts the quickest.\n")
    print(*loads(), sep="\n")
    print(f"\nMNIST's {megabytes:.0f} MB of training images to nodes simulated on that machine:\n")
    print(*broadcast(most), sep="\n")


if __name__ == "__main__":
    main()
