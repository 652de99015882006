"""What a killed run leaves among the temporary files is removed by the next one, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from search.cluster.scratch import LOCK, _prefix, scratch

HOLD = "from search.scratch import scratch; import sys\nwith scratch() as f: print(f, flush=True); sys.stdin.read()"


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def held() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    os.utime(folder / LOCK, (0, 0))  # it was long ago
    return process, folder


def test_it_is_there_inside_the_block_alone():
    with scratch() as folder:
        (folder / "file").write_text("x")
    assert not folder.exists()


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_has_is_not(tmp_path):
    elsewhere, linked = tmp_path / "kd-0000-else", tmp_path / f"{_prefix()}linked"
    for each in (elsewhere, linked):
        each.mkdir()
    (elsewhere / LOCK).touch()
    (linked / LOCK).symlink_to(elsewhere / LOCK)
    os.utime(elsewhere / LOCK, (0, 0))
    process, folder = held()
    try:
        with scratch():
            assert folder.is_dir()
        process.kill()
        process.wait()
        assert folder.is_dir()
        with scratch():
            assert not folder.exists() and (elsewhere / LOCK).exists() and linked.is_dir()
    finally:
        process.kill()
        process.communicate()
