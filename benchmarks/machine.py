"""What the machine can do, and what processes hold of its memory."""

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


def rate(dtype: torch.dtype, threads: int, repeats: int = 30) -> float:
    """Floating point operations per second of the student's widest product [256, 784] × [784, 784]: the median."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    a, b = torch.randn(256, 784).to(dtype), torch.randn(784, 784).to(dtype)
    found = sorted(_seconds(lambda: a @ b) for _ in range(repeats))
    torch.set_num_threads(before)
    return 2 * 256 * 784 * 784 / found[repeats // 2]


def _seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def private(pid: int) -> int:
    """The bytes that a process shares with no other; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


def below(pid: int) -> list[int]:
    """All processes that descend from one."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def name(pid: int) -> str:
    """The command of a process; empty where it is gone. Ray's workers call themselves by what they do."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


@contextmanager
def watched(pid: int, every: float = 1.0) -> Iterator[dict[str, dict[float, int]]]:
    """Unix time -> private bytes of a search ("driver") at a process or below it, and of its workers by id."""
    found: dict[str, dict[float, int]] = {"driver": {}}

    def look() -> None:
        now, named = time(), {each: name(each) for each in (pid, *below(pid))}
        drivers = [private(each) for each, command in named.items() if "search.run" in command]
        found["driver"][now] = max(drivers, default=0)
        for each, command in named.items():
            if command.startswith("ray::") and not command.startswith(("ray::IDLE", "ray::_lectures")):
                found.setdefault(str(each), {})[now] = private(each)

    with repeated(look, every):
        yield found


@contextmanager
def repeated(look: Callable[[], object], every: float) -> Iterator[None]:
    """Look again and again, so many seconds apart, in a thread that ends with the block."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every):
            look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def bare() -> int:
    """Private bytes of a process that has imported what a worker imports, and done nothing."""
    code = "import search.trial, sys; print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        return private(process.pid)
