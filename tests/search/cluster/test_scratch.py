"""Temporary folders: those of killed runs are removed by the next run, nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from search.cluster.scratch import LOCK_NAME, _host_prefix, scratch_folder

HOLD = """
import sys
from search.cluster.scratch import scratch_folder
with scratch_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary_root(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def start_holder() -> tuple[subprocess.Popen[str], Path]:
    """Start a process with a scratch folder of its own, made long ago."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    os.utime(folder / LOCK_NAME, (0, 0))
    return process, folder


def test_a_folder_is_removed_after_its_block():
    with scratch_folder() as folder:
        (folder / "file").write_text("x")
    assert not folder.exists()


def test_folders_of_killed_runs_are_removed_and_those_of_living_runs_are_not(tmp_path):
    other_host, linked = tmp_path / "kd-0000-else", tmp_path / f"{_host_prefix()}linked"
    for path in (other_host, linked):
        path.mkdir()
    (other_host / LOCK_NAME).touch()
    (linked / LOCK_NAME).symlink_to(other_host / LOCK_NAME)
    os.utime(other_host / LOCK_NAME, (0, 0))
    process, folder = start_holder()
    try:
        with scratch_folder():
            assert folder.is_dir()
        process.kill()
        process.wait()
        assert folder.is_dir()
        with scratch_folder():
            assert not folder.exists() and (other_host / LOCK_NAME).exists() and linked.is_dir()
    finally:
        process.kill()
        process.communicate()
