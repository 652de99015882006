"""Many short students: the memory of the driver and of the workers stays flat."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import FULL

from results import records
from results.students import histories

MANY = int(os.environ.get("KD_FAULTS_STUDENTS", "5000" if FULL else "100"))
PER_STUDENT = 64 * 1024  # bytes that the driver may keep of each: its rows, its line of the display


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def done(folder: Path) -> int:
    return sum(bool(past.end) for past in histories(folder))


@pytest.mark.slow
@pytest.mark.alone
def test_memory_stays_flat(tmp_path, start, write, tally):
    choices = {"choice": [round(0.0001 * number, 4) for number in range(1, MANY + 1)]}
    space = write(tmp_path / "x.yaml", method={"name": "none"}, train={"epochs": 1, "batch_size": 512, "lr": choices})
    folder = tmp_path / "run"
    run = start(space, folder)
    measured = []
    for part in (0.4, 0.9):
        run.until(lambda part=part: done(folder) >= part * MANY, 2400)
        workers = [resident(each.pid) for each in run.family() if each.title.startswith("ray::ImplicitFunc")]
        drivers = [resident(each.pid) for each in run.family() if "-m search.run" in each.title]  # and its parent
        measured.append((done(folder), max(drivers), max(workers)))
    assert run.wait() == 0, run.said()
    (few, driver, worker), (many, driver_later, worker_later) = measured
    growth, worker_growth = (driver_later - driver) / (many - few), worker_later - worker
    assert len(records.trials(folder)) == MANY
    assert growth < PER_STUDENT and worker_growth < 32 * 2**20, measured
    tally(
        "memory over many short students",
        tries=MANY,
        note=f"driver +{growth / 1024:.0f} KB a student, a worker +{worker_growth / 2**20:.1f} MB in all",
    )
