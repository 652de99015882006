"""Searches by this project's command line, timed and watched from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any, NamedTuple

import yaml

from benchmarks.machine import MB, MemorySamples, sampled_memory
from results import records
from results.students import History, histories

CNN = {"name": "cnn", "padding": "same"}
MLP = {"name": "mlp", "hidden": [784, 784]}


class Search(NamedTuple):
    """A grid of students that differ in seeds; half of the students are the baselines."""

    students: int
    epochs: int = 1
    workers: int = 2
    data: str = "mnist"
    batch: int = 256
    student: dict[str, Any] = MLP
    teacher: dict[str, Any] = CNN
    teacher_epochs: int = 1
    pack: int | str = "auto"  # as in a space


class SearchTimes(NamedTuple):
    """Time and memory of a search; memory is private memory in MB."""

    students: int
    wall: float  # seconds of the whole command
    estimate: float  # seconds, as printed by the command
    wall_after_estimate: float  # seconds
    epoch_seconds: list[float]  # mean of each distilled student
    accuracies: list[float]  # on the test images, of the distilled students
    overhead: float  # fraction of wall × workers without training: start-up, evaluation, tables
    seconds_per_student: float  # from the first student's start to the last one's end
    worker_mb: float  # peak of a worker
    driver_growth_mb: float | None  # from the first student's start to the last one's end; None without two samples
    driver_peak_mb: float  # tables and figures included


def search_yaml(search: Search) -> str:
    """Return the space of a search."""
    train = {"batch_size": search.batch, "optimizer": "adam", "lr": 0.001}
    return yaml.safe_dump(
        {
            "data": {"name": search.data},
            "teacher": {"model": search.teacher, "train": {**train, "epochs": search.teacher_epochs}},
            "student": {"model": search.student},
            "method": {"name": "hinton", "alpha": {"choice": [0.5]}, "temperature": 4},
            "train": {**train, "epochs": search.epochs},
            "seeds": list(range(search.students // 2)),
            "search": {"algorithm": "grid"},
            "resources": {"cpus": 1, "workers": search.workers, "pack": search.pack},
        }
    )


def run_search(search: Search, folder: Path, root: Path, *flags: str, **environment: str) -> SearchTimes:
    """Run a search in a new folder; raises CalledProcessError if it fails."""
    start, wall, memory = _run_command(search_yaml(search), folder, root, *flags, **environment)
    return _search_times(search, folder, start, wall, memory)


def run_assignment(folder: Path, root: Path, **environment: str) -> dict[str, Any]:
    """Run the assignment's grid with one seed.

    `epochs` are those of the distilled students, `wall` and `teacher_seconds` are seconds.
    """
    shipped = yaml.safe_load((Path(__file__).parents[1] / "spaces" / "mnist_hinton.yaml").read_text())
    _, wall, _ = _run_command(yaml.safe_dump({**shipped, "seeds": [0]}), folder, root, **environment)
    students = _finished_students(folder)
    epochs = sum(len(student.epochs) for student in students if student.start["stage"] != "baseline")
    [teacher] = records.read_teachers(folder / "run").values()
    return {"students": len(students), "epochs": epochs, "wall": wall, "teacher_seconds": teacher["train_seconds"]}


def _run_command(
    space: str, folder: Path, root: Path, *flags: str, **environment: str
) -> tuple[float, float, MemorySamples]:
    """Return Unix time of the start, wall seconds and memory samples."""
    folder.mkdir(parents=True)
    (folder / "space.yaml").write_text(space)
    arguments = [str(folder / "space.yaml"), "--out", str(folder / "run"), "--data", str(root), *flags]
    command = [sys.executable, "-m", "search.run", *arguments]
    start = time()
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | environment)
        with sampled_memory(process.pid) as memory:
            process.wait()
    wall = time() - start
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, (folder / "log").read_text())
    return start, wall, memory


def _search_times(search: Search, folder: Path, start: float, wall: float, memory: MemorySamples) -> SearchTimes:
    students = _finished_students(folder)
    distilled = [student for student in students if student.start["stage"] != "baseline"]
    driver = memory.pop("driver")
    first = min(student.start["time"] for student in students)
    last = max(student.end["time"] for student in students)
    estimated_at = datetime.fromisoformat(records.read_environment(folder / "run")["started"]).timestamp()
    samples = [size for moment, size in driver.items() if first <= moment <= last]
    return SearchTimes(
        students=len(students),
        wall=wall,
        estimate=_printed_estimate((folder / "log").read_text()),
        wall_after_estimate=start + wall - estimated_at,
        epoch_seconds=[_train_seconds(student) / len(student.epochs) for student in distilled],
        accuracies=[student.end["test_accuracy"] for student in distilled],
        overhead=1 - sum(map(_train_seconds, students)) / (wall * search.workers),
        seconds_per_student=(last - first) / len(students),
        worker_mb=max((max(sizes.values()) for sizes in memory.values()), default=0) / MB,
        driver_growth_mb=(max(samples) - samples[0]) / MB if len(samples) > 1 else None,
        driver_peak_mb=max(driver.values()) / MB,
    )


def _finished_students(folder: Path) -> list[History]:
    return [student for student in histories(folder / "run") if student.end.get("status") == "finished"]


def _train_seconds(student: History) -> float:
    return sum(row["seconds"] for row in student.epochs)


def _printed_estimate(log: str) -> float:
    """Return the estimated seconds printed by the command."""
    line = re.search(r"estimate +about (.*?) on this machine", log)
    units = {"h": 3600.0, "min": 60.0, "s": 1.0}
    parts = re.findall(r"([\d.]+) (h|min|s)\b", line.group(1)) if line else []
    return sum(float(number) * units[unit] for number, unit in parts)
