"""This project through its command line: a space is written, the command is run and watched, its rows are read."""

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

from benchmarks.machine import MB, watched
from results import records
from results.students import History, histories

CNN = {"name": "cnn", "padding": "same"}
MLP = {"name": "mlp", "hidden": [784, 784]}


class Search(NamedTuple):
    """A grid of students that differ in their seeds; beside each its baseline is trained, which counts as one too."""

    students: int
    epochs: int = 1
    workers: int = 2
    data: str = "mnist"
    batch: int = 256
    student: dict[str, Any] = MLP
    teacher: dict[str, Any] = CNN
    teacher_epochs: int = 1
    pack: int | str = "auto"  # as in a space


class Found(NamedTuple):
    """What a command took, by its students' rows and from outside; memory in MB."""

    students: int
    wall: float  # seconds of the whole command
    estimate: float  # seconds from then on, as the command said before it began
    after: float  # seconds that it took from then on
    training: list[float]  # seconds per epoch of each distilled student
    accuracies: list[float]  # on the test images, of the distilled
    share: float  # of the wall that nobody trained in: orchestration, evaluation, start and end
    each: float  # seconds per student between the first student's start and the last one's end
    worker: float  # the most private memory of a worker
    growth: float | None  # of the driver, from the first student's start to the last one's end, if seen twice then
    peak: float  # of the driver, its tables and pictures included


def space(search: Search) -> str:
    """The YAML of a search."""
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


def run(search: Search, folder: Path, root: Path, *flags: str, **environment: str) -> Found:
    """Run one search in a folder of its own; a CalledProcessError where it fails."""
    began, wall, memory = _command(space(search), folder, root, *flags, **environment)
    return found(search, folder, began, wall, memory)


def assignment(folder: Path, root: Path, **environment: str) -> dict[str, Any]:
    """Run the assignment's grid with one seed: its students, the epochs of the distilled ones, the wall of the command,
    and what of it its teacher was taught in.
    """
    shipped = yaml.safe_load((Path(__file__).parents[1] / "spaces" / "mnist_hinton.yaml").read_text())
    _, wall, _ = _command(yaml.safe_dump({**shipped, "seeds": [0]}), folder, root, **environment)
    pasts = _finished(folder)
    epochs = sum(len(past.epochs) for past in pasts if past.start["stage"] != "baseline")
    [teacher] = records.teachers(folder / "run").values()
    return {"students": len(pasts), "epochs": epochs, "wall": wall, "teaching": teacher["train_seconds"]}


def _command(
    written: str, folder: Path, root: Path, *flags: str, **environment: str
) -> tuple[float, float, dict[str, dict[float, int]]]:
    """Search a space in a new folder: when it began, the seconds that it took, and the memory of its processes."""
    folder.mkdir(parents=True)
    (folder / "space.yaml").write_text(written)
    arguments = [str(folder / "space.yaml"), "--out", str(folder / "run"), "--data", str(root), *flags]
    command = [sys.executable, "-m", "search.run", *arguments]
    began = time()
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | environment)
        with watched(process.pid) as memory:
            process.wait()
    wall = time() - began
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, (folder / "log").read_text())
    return began, wall, memory


def found(search: Search, folder: Path, began: float, wall: float, memory: dict[str, dict[float, int]]) -> Found:
    """Read what a finished search left, and how long its students learnt."""
    pasts = _finished(folder)
    distilled = [past for past in pasts if past.start["stage"] != "baseline"]
    driver = memory.pop("driver")
    first, last = (pick(when(past) for past in pasts) for pick, when in ((min, _began), (max, _ended)))
    started = datetime.fromisoformat(records.environment(folder / "run")["started"]).timestamp()
    meanwhile = [size for when, size in driver.items() if first <= when <= last]
    return Found(
        students=len(pasts),
        wall=wall,
        estimate=_estimate((folder / "log").read_text()),
        after=began + wall - started,
        training=[_seconds(past) / len(past.epochs) for past in distilled],
        accuracies=[past.end["test_accuracy"] for past in distilled],
        share=1 - sum(map(_seconds, pasts)) / (wall * search.workers),
        each=(last - first) / len(pasts),
        worker=max((max(samples.values()) for samples in memory.values()), default=0) / MB,
        growth=(max(meanwhile) - meanwhile[0]) / MB if len(meanwhile) > 1 else None,
        peak=max(driver.values()) / MB,
    )


def _finished(folder: Path) -> list[History]:
    return [past for past in histories(folder / "run") if past.end.get("status") == "finished"]


def _seconds(past: History) -> float:
    return sum(row["seconds"] for row in past.epochs)


def _began(past: History) -> float:
    return past.start["time"]


def _ended(past: History) -> float:
    return past.end["time"]


def _estimate(log: str) -> float:
    """The seconds that a command said it would take."""
    told = re.search(r"estimate +about (.*?) on this machine", log)
    units = {"h": 3600.0, "min": 60.0, "s": 1.0}
    parts = re.findall(r"([\d.]+) (h|min|s)\b", told.group(1)) if told else []
    return sum(float(number) * units[unit] for number, unit in parts)
