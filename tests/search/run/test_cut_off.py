"""Runs that are cut off in the middle go on where they were, as if nothing had been; more of it in tests/faults/."""

from __future__ import annotations

import os
import signal
import time

import pytest

from results import records
from results.students import histories
from trainables import checkpoint

# The first signal goes to the driver alone, as from a batch system; the second to all, as from a terminal.
POLITE = {"SIGTERM": os.kill, "SIGINT": os.killpg}


def interrupt(run, name: str) -> float:
    """Send a signal and wait for the end; seconds that it took."""
    began = time.monotonic()
    POLITE[name](run.process.pid, getattr(signal, name))
    assert run.wait(60) == 130, run.said()
    return time.monotonic() - began


def kill_a_worker(run, folder) -> int:
    """SIGKILL for one process that trains; how many epochs were behind its student and the others."""
    workers = [each for each in run.family() if each.title.startswith("ray::ImplicitFunc")]
    os.kill(workers[0].pid, signal.SIGKILL)
    return sum(len(past.epochs) for past in histories(folder))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_whatever_happens_to_a_run_the_same_command_ends_it(grid, tmp_path, start, slow_space, halfway, same):
    """Interrupted, then killed with all its processes, then robbed of a worker: one test, for each start takes long."""
    space, folder = slow_space(tmp_path), tmp_path / "run"
    run = start(space, folder)
    run.until(lambda: halfway(folder))
    assert interrupt(run, "SIGTERM") < 40  # beside other tests; 10 where it is alone, in tests/faults/test_signals.py
    assert f"To go on: python -m search.run {space} --out {folder}" in run.said()
    assert "Traceback" not in run.said()
    assert records.students_file(folder).is_file() and "running" in records.students_file(folder).read_text()
    assert run.alone() == set()

    before = sum(len(past.epochs) for past in histories(folder))
    run = start(space, folder)
    run.until(lambda: halfway(folder) and sum(len(past.epochs) for past in histories(folder)) > before + 1)
    run.kill()
    assert run.alone() == set()

    run = start(space, folder)
    run.until(lambda: halfway(folder) and any("ImplicitFunc" in each.title for each in run.family()))
    kill_a_worker(run, folder)
    assert run.wait() == 0, run.said()
    assert run.alone() == set()
    same(folder, grid)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("name", POLITE)
def test_a_teacher_can_be_interrupted_and_goes_on(tmp_path, places, start, slow_space, name):
    model = {"name": "mlp", "hidden": [33 if name == "SIGINT" else 34]}  # in nobody's cache
    space = slow_space(tmp_path, teacher={"model": model, "train": {"epochs": 12, "batch_size": 8}}, seeds=[0])
    folder, before = tmp_path / "run", unfinished(places)
    run = start(space, folder)
    run.until(lambda: unfinished(places) > before)
    assert interrupt(run, name) < 10
    assert run.alone() == set()
    assert records.trials(folder) == [] and records.students_file(folder).is_file()
    (begun,) = unfinished(places) - before
    assert 1 <= checkpoint.load(begun).epoch < 12
    assert start(space, folder).wait() == 0
    assert len(records.trials(folder)) == 3
    (teacher,) = records.teachers(folder).values()
    assert teacher["epochs"] == 12 and not begun.exists()


def unfinished(places):
    """The teachers that are being taught, or were when somebody was interrupted."""
    return set((places / "teachers").glob("*/checkpoint.safetensors"))
