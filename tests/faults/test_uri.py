"""A search at a URI of an S3-compatible server, after the loss of its machine."""

from __future__ import annotations

import re
import shutil

import pytest
from conftest import FULL
from test_driver import trained

from results import paths
from results.students import histories

# Short times: a test has no minutes.
PROGRAM = """
import sys
from search.mirror import lease, session
lease.EXPIRY_SECONDS, session.MIRROR_SECONDS = 4.0, 0.5
from search.start import start_search
start_search(sys.argv[1:])
"""


@pytest.mark.slow
def test_the_machine_of_a_driver_is_lost(grid, bucket, tmp_path, start, slow_space, assert_same, tally):
    """All processes are killed and all folders removed; the same command goes on elsewhere."""
    space, uri, lost, after = slow_space(tmp_path), f"{bucket}/runs/slow", [], [4, 12] if FULL else [6]
    for number, epochs in enumerate(after):
        machine = tmp_path / f"machine{number}"
        run = start(space, uri, places=machine, program=("-c", PROGRAM))
        run.wait_until(lambda machine=machine: bool(list(machine.rglob("space.yaml"))))
        folder = next(machine.rglob("space.yaml")).parent
        restored = trained(folder)
        run.wait_until(lambda folder=folder, epochs=epochs: trained(folder) >= epochs)
        assert f"{uri}, mirrored from {folder}" in run.output()
        run.kill()
        assert run.remaining_processes() == set()  # they still write for a moment
        lost.append((folder, trained(folder) - restored))
        rows = {past.start["trial"]: len(past.epochs) for past in histories(folder)}
        shutil.rmtree(machine)
    run = start(space, uri, places=tmp_path / "last", program=("-c", PROGRAM))
    assert run.wait() == 0, run.output()
    folder = next((tmp_path / "last").rglob("space.yaml")).parent
    assert_same(folder, grid)
    output = run.output()
    assert re.search(r"restored \d students to .* as they were at .* UTC; \d of them have ended", output), output
    assert "trained again: " in output and "students that began later" in output
    assert "teacher cnn" not in output  # the teacher was restored, too
    repeated = trained(folder) - trained(grid)
    assert repeated <= len(rows) and "Traceback" not in output
    assert paths.table_file(folder, "csv").read_bytes() == paths.table_file(grid, "csv").read_bytes()
    tally("the driver's machine is lost, a search at a URI", tries=len(after), repeated=repeated)
