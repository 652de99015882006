"""Many short students: the memory of driver and workers stays constant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import FULL

from results import records
from results.students import histories

KINDS = {"auto": 5000, 1: 500} if FULL else {"auto": 200}  # many students per Ray trial, and one
PER_STUDENT = {"auto": 64 * 1024, 1: 400 * 1024}  # bytes per student in the driver, most of them Tune's


def resident(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def memory_of(run, title: str) -> list[int]:
    return [resident(process.pid) for process in run.living_processes() if title in process.title]


def done(folder: Path) -> int:
    return sum(bool(past.end) for past in histories(folder))


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("pack", KINDS)
def test_memory_stays_flat(pack, tmp_path, start, write, tally):
    many_students = KINDS[pack]
    train = {"epochs": 1, "batch_size": 512, "lr": {"choice": [0.001, 0.002, 0.003, 0.004]}}
    parts = {"method": {"name": "none"}, "train": train, "seeds": list(range(many_students // 4))}
    space = write(tmp_path / "x.yaml", **parts, resources={"pack": pack})
    folder = tmp_path / "run"
    run = start(space, folder)
    measured = []
    for part in (0.4, 0.9):
        run.wait_until(lambda part=part: done(folder) >= part * many_students, 2400)
        workers = memory_of(run, "ray::ImplicitFunc")
        drivers = memory_of(run, "-m search.run")  # driver and supervisor
        measured.append((done(folder), max(drivers), max(workers)))
    assert run.wait() == 0, run.output()
    (few, driver, worker), (many, driver_later, worker_later) = measured
    growth, worker_growth = (driver_later - driver) / (many - few), worker_later - worker
    assert len(records.trial_names(folder)) == many_students
    # with few students the interpreter's own growth weighs too much
    assert growth < PER_STUDENT[pack] * (1 if FULL else 5) and worker_growth < 32 * 2**20, measured
    tally(
        f"memory over many short students, {'one' if pack == 1 else 'many'} to a Ray trial",
        tries=many_students,
        note=f"driver +{growth / 1024:.0f} KB a student, a worker +{worker_growth / 2**20:.1f} MB in all",
    )
