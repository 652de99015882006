"""Many one-epoch students on one machine, beside plain Ray Tune: `python -m benchmarks.many_students`.

Both train the same students of one space, one command after the other. Processor time and memory are those of the
driver, the process of the command that talks to Ray; memory is private memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from benchmarks.cluster import TINY, cpu_seconds
from benchmarks.machine import MB, command_line, descendants, private_bytes, repeated
from benchmarks.search_runs import Search, search_yaml
from results import paths
from results.students import read_students
from trainables.device import device_name

SAMPLE_SECONDS = 1.0


class DriverCost(NamedTuple):
    """Cost of one command; those of Ray's processes and of the workers are not counted, except in `wall`."""

    wall: float  # seconds
    processor: float  # seconds
    peak_mb: float


def measure_driver(module: str, *arguments: str, cache: Path, **variables: str) -> DriverCost:
    """Run a module of Python and return the cost of its process, or of a child process with the same command line.

    `variables` are added to its environment. Raises CalledProcessError if it fails.
    """
    command = [sys.executable, "-m", module, *arguments]
    environment = {**os.environ, "KD_CACHE": str(cache), **variables}
    seconds, sizes, start = [0.0], [0], perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:

        def sample() -> None:
            drivers = [pid for pid in (process.pid, *descendants(process.pid)) if module in command_line(pid)]
            seconds.extend(map(cpu_seconds, drivers))
            sizes.extend(map(private_bytes, drivers))

        with repeated(sample, SAMPLE_SECONDS):
            if process.wait():
                raise subprocess.CalledProcessError(process.returncode, command)
    return DriverCost(perf_counter() - start, max(seconds), max(sizes) / MB)


def processor_seconds(*arguments: str, check: bool = True) -> float:
    """Run Python and return the processor seconds of its processes; raise if it fails and that is checked."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=check)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_search(students: int, folder: Path) -> dict[str, float]:
    """Run a search in a folder; return its costs and sizes.

    Raises ValueError if a student is not finished.
    """
    run = folder / "run"
    cost = measure_driver("search.run", str(write_space(students, folder)), "--out", str(run), cache=folder / "cache")
    finished = (read_students(run)["status"] == "finished").sum()
    if finished != students:
        raise ValueError(f"{finished} of {students} students are finished")
    tables = processor_seconds("-m", "results", str(run))
    report = paths.report_file(run).stat().st_size / 1e6
    size = sum(file.stat().st_size for file in run.rglob("*") if file.is_file()) / 1e6
    return {**cost._asdict(), "students": students, "tables": tables, "report_mb": report, "folder_mb": size}


def measure_plain_tune(students: int, folder: Path) -> dict[str, float]:
    """Train the students of the same space by plain Ray Tune; return the costs."""
    space = str(write_space(students, folder))
    cost = measure_driver("benchmarks.plain_trials", space, cache=folder / "cache")
    return {**cost._asdict(), "students": students}


def write_space(students: int, folder: Path) -> Path:
    """Write a space with this number of students."""
    file = folder / f"space{students}.yaml"
    file.write_text(search_yaml(Search(students, **TINY)))
    return file


def measured_once(file: Path, measure: Callable[[int, Path], dict[str, float]], students: int) -> dict[str, float]:
    """Return the measurements in a file; measure first if it is missing."""
    if not file.exists():
        file.write_text(json.dumps(measure(students, file.parent)))
    return json.loads(file.read_text())


def many_students_markdown(own: dict[str, float], plain: dict[str, float]) -> str:
    """Return the costs as a Markdown table."""
    columns = own, plain
    when = f"{datetime.now(UTC):%Y-%m-%d}, {device_name()}, {os.cpu_count()} cores, n = 1"
    rows = [
        (when, "this project", "plain Ray Tune"),
        ("---", "---", "---"),
        ("students of one epoch", *(f"{column['students']:,}" for column in columns)),
        ("wall, s", *(f"{column['wall']:,.0f}" for column in columns)),
        ("driver: processor time, s", *(f"{column['processor']:,.0f}" for column in columns)),
        (
            "driver: processor time per student, ms",
            *(f"{1000 * column['processor'] / column['students']:.1f}" for column in columns),
        ),
        ("driver: peak memory, MB", *(f"{column['peak_mb']:,.0f}" for column in columns)),
        ("`python -m results`: processor time, s", f"{own['tables']:,.1f}", "–"),
        ("… per student, ms", f"{1000 * own['tables'] / own['students']:.1f}", "–"),
        ("report.html, MB", f"{own['report_mb']:.1f}", "–"),
        ("experiment's folder, MB", f"{own['folder_mb']:,.0f}", "–"),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    """Measure what --out lacks, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_students", description=__doc__)
    parser.add_argument("--students", type=int, default=10_000)
    parser.add_argument("--plain-students", type=int, help="of plain Ray Tune; default: as many")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/many_students"), help="measurements, kept from run to run"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    own = measured_once(options.out / "search.json", measure_search, options.students)
    plain_students = options.plain_students or options.students
    print(many_students_markdown(own, measured_once(options.out / "tune.json", measure_plain_tune, plain_students)))


if __name__ == "__main__":
    main()
