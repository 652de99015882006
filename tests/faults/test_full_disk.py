"""A disk that is full: the file and the bytes it needs are named, nothing half-written is believed, and it goes on."""

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
    """A file system of 16 MB; skipped where the kernel gives none."""
    place = tmp_path / "small"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no small file system can be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("left", [40, *[0, 400] * FULL])
def test_a_full_disk(left, small, tmp_path, start, write, same, tally):
    """With `left` KB of room: none for a row, for rows but no checkpoint, for some checkpoints but not all."""
    parts = {"student": {"model": {"name": "mlp", "hidden": [128]}}, "train": {"epochs": 3, "batch_size": 16}}
    space, folder = write(tmp_path / "x.yaml", table=None, **parts), small / "run"
    filler = small / "filler"
    filler.write_bytes(bytes(16 * 2**20 - left * 1024 - (64 * 1024 if left else 4096)))
    run = start(space, folder)
    code = run.wait()
    said = run.said()
    assert code in (2, 3) and "Traceback" not in said, (code, said)
    assert "No space left on device" in said and "bytes needed" in said and f"{folder}/" in said
    assert run.alone(30) == set()
    before = {past.start["trial"]: past for past in histories(folder) if past.end.get("status") == "finished"}
    filler.unlink()
    again = start(space, folder)
    assert again.wait() == 0, again.said()
    assert all(each.name.startswith((".lock",)) for each in folder.rglob(".*")), list(folder.rglob(".*"))
    lost = sum(
        {past.start["trial"]: past for past in histories(folder)}[trial] != past for trial, past in before.items()
    )
    whole = tmp_path / "whole"
    assert start(space, whole).wait() == 0
    same(folder, whole)
    tally(f"a disk with {left} KB left", tries=1, lost=lost, note=f"exit {code}, resumed after making room")
    assert len(records.trials(folder)) == 3
