"""Limits of a search on many nodes: the driver, and sending data to the nodes: `python -m benchmarks.cluster`.

The driver's CPU time is the difference between a large and a small search on this machine, tables included. The nodes
are simulated by Ray on this machine; its memory limits their number.
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

from benchmarks.machine import command_line, descendants, repeated
from benchmarks.search_runs import Search, search_yaml
from trainables.device import device_name

TINY: dict[str, Any] = {"data": "digits", "teacher_epochs": 0}
TINY |= {"student": {"name": "mlp", "hidden": [8]}, "teacher": {"name": "mlp", "hidden": [8]}}
MNIST_SHAPE = (60000, 28, 28)


class DriverLoad(NamedTuple):
    """A task of the driver, done `times` more often in the larger of two searches."""

    task: str
    small: Search
    large: Search
    times: int


DRIVER_LOADS = [
    DriverLoad(
        "one-epoch student, one per Ray trial",
        Search(20, pack=1, **TINY),
        Search(220, pack=1, **TINY),
        200,
    ),
    DriverLoad("one-epoch student, many per Ray trial", Search(420, **TINY), Search(1260, **TINY), 840),
    DriverLoad("one epoch of a student", Search(20, pack=1, **TINY), Search(20, pack=1, epochs=51, **TINY), 1000),
]


def driver_rows() -> Iterator[str]:
    """Yield Markdown rows: CPU time of the driver per task, and the resulting limit."""
    yield "| task of the driver | CPU time, ms | limit per second |\n| --- | --- | --- |"
    for load in DRIVER_LOADS:
        seconds = driver_seconds(load.large) - driver_seconds(load.small)
        yield f"| {load.task} | {1000 * seconds / load.times:.1f} | {load.times / seconds:,.0f} |"


def driver_seconds(search: Search) -> float:
    """Run a search and return the CPU seconds of its driver."""
    with tempfile.TemporaryDirectory(prefix="kd-") as folder:
        file = Path(folder) / "space.yaml"
        file.write_text(search_yaml(search))
        command = [sys.executable, "-m", "search.run", str(file), "--out", f"{folder}/run"]
        environment = {**os.environ, "KD_CACHE": f"{folder}/cache"}
        with (
            subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process,
            sampled_cpu_seconds(process.pid) as samples,
        ):
            if process.wait():
                raise subprocess.CalledProcessError(process.returncode, command)
        return max(samples)


@contextmanager
def sampled_cpu_seconds(pid: int) -> Iterator[list[float]]:
    """Sample the CPU seconds of a search's driver twice a second.

    The driver is the process `pid` or one of its descendants.
    """
    samples = [0.0]

    def sample() -> None:
        drivers = [process for process in (pid, *descendants(pid)) if "search.run" in command_line(process)]
        samples.extend(map(cpu_seconds, drivers))

    with repeated(sample, 0.5):
        yield samples


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process so far, 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def broadcast_rows(most: int) -> Iterator[str]:
    """Yield Markdown rows: seconds until all nodes hold MNIST's training images."""
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    import ray  # reads the token as it is imported
    from ray.cluster_utils import Cluster

    images = np.zeros(MNIST_SHAPE, np.uint8)
    store = 4 * images.nbytes
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": store})
    try:
        ray.init(address=cluster.address, log_to_driver=False)
        yield "| nodes without the driver's | seconds | total MB/s |\n| --- | --- | --- |"
        for nodes in (n for n in (1, 2, 4, 8, 16, 32) if n <= most):
            while len(cluster.worker_nodes) < nodes:
                cluster.add_node(num_cpus=1, object_store_memory=store)
            cluster.wait_for_nodes()
            seconds = min(_broadcast_seconds(images) for _ in range(3))
            yield f"| {nodes} | {seconds:.2f} | {nodes * images.nbytes / 1e6 / seconds:,.0f} |"
    finally:
        ray.shutdown()
        cluster.shutdown()


def _broadcast_seconds(images: np.ndarray) -> float:
    """Return the seconds from `ray.put` on the driver until a waiting process on every node has read the images."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    read: Any = ray.remote(num_cpus=1)(lambda array: array is None or int(array[0, 0, 0]))
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    tasks = [read.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)) for node in nodes]
    ray.get([task.remote(None) for task in tasks])  # starts the processes
    reference = ray.put(images)
    start = perf_counter()
    ray.get([task.remote(reference) for task in tasks])
    return perf_counter() - start


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--nodes", type=int, default=8, help="largest number of simulated nodes")
    most = parser.parse_args().nodes
    megabytes = np.prod(MNIST_SHAPE) / 1e6
    when = f"{datetime.now(UTC):%Y-%m-%d}, {device_name()}, {os.cpu_count()} cores"
    print(f"{when}, n = 1; the fastest of three broadcasts.\n")
    print(*driver_rows(), sep="\n")
    print(f"\nMNIST's {megabytes:.0f} MB of training images, sent to nodes simulated on this machine:\n")
    print(*broadcast_rows(most), sep="\n")


if __name__ == "__main__":
    main()
