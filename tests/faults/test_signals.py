"""SIGTERM and SIGINT, once and twice: a quick end with tables and the resuming command, without processes.

SIGUSR1 ends no run.
"""

from __future__ import annotations

import os
import signal
import time

import pytest
from conftest import FULL
from test_driver import trained

from results import records

LONGEST_SECONDS = 25  # Slurm and Kubernetes send SIGKILL after 30


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(("name", "times"), [("SIGTERM", 1), ("SIGINT", 2), *[("SIGTERM", 2), ("SIGINT", 1)] * FULL])
def test_a_signal_ends_the_run_with_tables(name, times, grid, tmp_path, start, slow_space, assert_same, tally):
    slowest = 0.0
    space, folder = slow_space(tmp_path), tmp_path / "run"
    # a terminal sends to all processes, a batch system to one
    send = os.killpg if name == "SIGINT" else os.kill
    tries = 3 if FULL else 1
    for number in range(tries):
        run = start(space, folder)
        run.wait_until(lambda number=number: trained(folder) >= 3 + 5 * number)
        began = time.monotonic()
        for pause in (0.0, 0.6)[:times]:
            time.sleep(pause)
            send(run.process.pid, getattr(signal, name))
        assert run.wait() == 130, run.output()
        slowest = max(slowest, time.monotonic() - began)
        assert f"To go on: python -m search.run {space} --out {folder}" in run.output()
        assert "Traceback" not in run.output()
        written = {path.name for path in folder.iterdir()}
        assert {"students.csv", "leaderboard.md", "curves.png", "report.html"} <= written
        assert "wall_seconds" not in records.read_environment(folder)  # the experiment is incomplete
        assert run.remaining_processes() == set()
    assert slowest < LONGEST_SECONDS
    assert start(space, folder).wait() == 0
    assert_same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= 2 * tries
    how = "once" if times == 1 else "twice"
    tally(f"{name}, {how}", tries=tries, repeated=repeated, note=f"ended after {slowest:.1f} s at most")


@pytest.mark.slow
def test_students_that_tune_leaves_unfinished_are_trained_on(grid, tmp_path, start, slow_space, assert_same, tally):
    """At SIGUSR1 Tune ends its stage, as if all trials had finished."""
    space, folder = slow_space(tmp_path), tmp_path / "run"
    run = start(space, folder)
    run.wait_until(lambda: trained(folder) >= 3)
    [driver] = {process.pid for process in run.living_processes() if process.parent == run.process.pid}
    os.kill(driver, signal.SIGUSR1)
    assert run.wait() == 0, run.output()
    assert_same(folder, grid)
    assert "dropped" not in run.output() and run.remaining_processes() == set()
    tally("SIGUSR1", tries=1, repeated=trained(folder) - trained(grid), note="the search goes on")
