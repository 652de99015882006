"""Interrupted runs: the same command resumes them with equal results. More in tests/faults/."""

from __future__ import annotations

import os
import signal
import time

import pytest

from results import paths, records
from results.students import histories
from trainables import checkpoint

# SIGTERM goes to one process, as from a batch system; SIGINT to all, as from a terminal.
SEND = {"SIGTERM": os.kill, "SIGINT": os.killpg}


def interrupt(run, name: str) -> float:
    """Send a signal and wait for the end; return the seconds."""
    began = time.monotonic()
    SEND[name](run.process.pid, getattr(signal, name))
    assert run.wait() == 130, run.output()
    return time.monotonic() - began


def kill_a_worker(run) -> bool:
    """Send SIGKILL to one worker; return False if none lives."""
    workers = [process for process in run.living_processes() if process.title.startswith("ray::ImplicitFunc")]
    if workers:
        os.kill(workers[0].pid, signal.SIGKILL)
    return bool(workers)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_same_command_resumes_after_any_interruption(grid, tmp_path, start, slow_space, halfway, assert_same):
    """SIGTERM, then SIGKILL for all processes, then for a worker: one test, because each start is slow."""
    space, folder = slow_space(tmp_path), tmp_path / "run"
    run = start(space, folder)
    run.wait_until(lambda: halfway(folder))
    interrupt(run, "SIGTERM")  # its seconds are tested in tests/faults/test_signals.py, without tests beside it
    assert f"To go on: python -m search.run {space} --out {folder}" in run.output()
    assert "Traceback" not in run.output()
    assert paths.students_file(folder).is_file() and "running" in paths.students_file(folder).read_text()
    assert run.remaining_processes() == set()

    before = sum(len(past.epochs) for past in histories(folder))
    run = start(space, folder)
    run.wait_until(lambda: halfway(folder) and sum(len(past.epochs) for past in histories(folder)) > before + 1)
    run.kill()
    assert run.remaining_processes() == set()

    run = start(space, folder)
    run.wait_until(lambda: halfway(folder) and kill_a_worker(run))
    assert run.wait() == 0, run.output()
    assert run.remaining_processes() == set()
    assert_same(folder, grid)


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("name", SEND)
def test_an_interrupted_teacher_resumes(tmp_path, places, start, slow_space, name):
    model = {"name": "mlp", "hidden": [33 if name == "SIGINT" else 34]}  # not in the cache
    space = slow_space(tmp_path, teacher={"model": model, "train": {"epochs": 12, "batch_size": 8}}, seeds=[0])
    folder, before = tmp_path / "run", teacher_checkpoints(places)
    run = start(space, folder)
    run.wait_until(lambda: teacher_checkpoints(places) > before)
    assert interrupt(run, name) < 25  # Slurm and Kubernetes send SIGKILL after 30
    assert run.remaining_processes() == set()
    assert records.trial_names(folder) == [] and paths.students_file(folder).is_file()
    (checkpoint_file,) = teacher_checkpoints(places) - before
    assert 1 <= checkpoint.load_checkpoint(checkpoint_file).epoch < 12
    assert start(space, folder).wait() == 0
    assert len(records.trial_names(folder)) == 3
    (teacher,) = records.read_teachers(folder).values()
    assert teacher["epochs"] == 12 and not checkpoint_file.exists()


def teacher_checkpoints(places):
    """Return the checkpoints of teachers that are, or were, in training."""
    return set((places / "teachers").glob("*/checkpoint.safetensors"))
