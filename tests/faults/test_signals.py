"""SIGTERM and SIGINT, once and twice: soon over, with tables, the command that resumes, and no process left."""

from __future__ import annotations

import os
import signal
import time

import pytest
from conftest import FULL
from test_driver import trained

from results import records


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize(("name", "times"), [("SIGTERM", 1), ("SIGINT", 2), *[("SIGTERM", 2), ("SIGINT", 1)] * FULL])
def test_a_polite_end(name, times, grid, tmp_path, start, slow_space, same, tally):
    slowest = 0.0
    space, folder = slow_space(tmp_path), tmp_path / "run"
    # one from the terminal goes to all processes, one from a batch system to the driver
    send = os.killpg if name == "SIGINT" else os.kill
    tries = 3 if FULL else 1
    for number in range(tries):
        run = start(space, folder)
        run.until(lambda number=number: trained(folder) >= 3 + 5 * number)
        began = time.monotonic()
        for pause in (0.0, 0.6)[:times]:
            time.sleep(pause)
            send(run.process.pid, getattr(signal, name))
        assert run.wait(60) == 130, run.said()
        slowest = max(slowest, time.monotonic() - began)
        assert f"To go on: python -m search.run {space} --out {folder}" in run.said()
        assert "Traceback" not in run.said()
        written = {path.name for path in folder.iterdir()}
        assert {"students.csv", "leaderboard.md", "curves.png", "report.html"} <= written
        assert "wall_seconds" not in records.environment(folder)  # which says that it is not over
        assert run.alone(30) == set()
    assert slowest < 10
    assert start(space, folder).wait() == 0
    same(folder, grid)
    repeated = trained(folder) - trained(grid)
    assert repeated <= 2 * tries
    how = "once" if times == 1 else "twice"
    tally(f"{name}, {how}", tries=tries, repeated=repeated, note=f"over after {slowest:.1f} s at most")
