"""A full disk: the error names the file and its size, partial files are ignored, the search resumes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import FULL

from results import records
from results.students import histories


@pytest.fixture
def small(tmp_path) -> Iterator[Path]:
    """Folder of a file system of 16 MB."""
    path = tmp_path / "small"
    path.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", path], capture_output=True, text=True)
    if mount.returncode:
        pytest.skip(f"no small file system can be mounted here: {mount.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("left", [40, *[0, 400] * FULL])
def test_a_full_disk(left, small, tmp_path, start, write, assert_same, tally):
    """With `left` KB of space: for no row, for rows but no checkpoint, for some checkpoints."""
    parts = {"student": {"model": {"name": "mlp", "hidden": [128]}}, "train": {"epochs": 3, "batch_size": 16}}
    space, folder = write(tmp_path / "x.yaml", table=None, **parts), small / "run"
    filler = small / "filler"
    filler.write_bytes(bytes(16 * 2**20 - left * 1024 - (64 * 1024 if left else 4096)))
    run = start(space, folder)
    code = run.wait()
    output = run.output()
    assert code in (2, 3) and "Traceback" not in output, (code, output)
    assert "No space left on device" in output and "bytes needed" in output and f"{folder}/" in output
    assert run.remaining_processes() == set()
    before = {past.start["trial"]: past for past in histories(folder) if past.end.get("status") == "finished"}
    filler.unlink()
    again = start(space, folder)
    assert again.wait() == 0, again.output()
    assert all(path.name.startswith(".lock") for path in folder.rglob(".*")), list(folder.rglob(".*"))
    lost = sum(
        {past.start["trial"]: past for past in histories(folder)}[trial] != past for trial, past in before.items()
    )
    undisturbed = tmp_path / "undisturbed"
    assert start(space, undisturbed).wait() == 0
    assert_same(folder, undisturbed)
    tally(f"a disk with {left} KB left", tries=1, lost=lost, note=f"exit {code}, resumed after freeing space")
    assert len(records.trial_names(folder)) == 3
