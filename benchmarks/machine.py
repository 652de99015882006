"""Arithmetic speed of the machine, and private memory of processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, time

import torch

MB = 2**20
TEACHER_TASK = "ray::_train_on_ray"  # process title of a teacher's training (search.trials.teachers)
WORKER_IMPORTS = "search.trials.trainable"  # the module of the trainable, imported by every worker

MemorySamples = dict[str, dict[float, int]]  # process -> Unix time -> private bytes


def product_rate(dtype: torch.dtype, threads: int, repeats: int = 30) -> float:
    """Return operations per second of the student's largest matrix product.

    It is the median over `repeats` of [256, 784] × [784, 784].
    """
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    a, b = torch.randn(256, 784).to(dtype), torch.randn(784, 784).to(dtype)
    seconds = sorted(_elapsed_seconds(lambda: a @ b) for _ in range(repeats))
    torch.set_num_threads(threads_before)
    return 2 * 256 * 784 * 784 / seconds[repeats // 2]


def _elapsed_seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def private_bytes(pid: int) -> int:
    """Return the private memory of a process, 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


def descendants(pid: int) -> list[int]:
    """Return the ids of all child processes and their children."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    pids = [pid]
    for parent in pids:
        pids += [child for child, above in parents.items() if above == parent]
    return pids[1:]


def command_line(pid: int) -> str:
    """Return the command of a process, empty if it has ended.

    Ray workers set it to the name of their task.
    """
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


@contextmanager
def sampled_memory(pid: int, interval: float = 1.0) -> Iterator[MemorySamples]:
    """Yield samples of a search's driver ("driver") and of its workers (process id).

    The driver is the process `pid` or one of its descendants.
    """
    samples: MemorySamples = {"driver": {}}

    def sample() -> None:
        now, commands = time(), {process: command_line(process) for process in (pid, *descendants(pid))}
        drivers = [private_bytes(process) for process, command in commands.items() if "search.run" in command]
        samples["driver"][now] = max(drivers, default=0)
        for process, command in commands.items():
            if command.startswith("ray::") and not command.startswith(("ray::IDLE", TEACHER_TASK)):
                samples.setdefault(str(process), {})[now] = private_bytes(process)

    with repeated(sample, interval):
        yield samples


@contextmanager
def repeated(work: Callable[[], object], interval: float) -> Iterator[None]:
    """Call `work` every `interval` seconds in a thread, until the block ends."""
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(interval):
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def bare_worker_bytes() -> int:
    """Return the private memory of a process with a worker's imports only."""
    code = f"import {WORKER_IMPORTS}, sys; print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return private_bytes(process.pid)
