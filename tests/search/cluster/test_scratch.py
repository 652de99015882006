"""Temporary folders: those of killed runs are removed by the next run, nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from search.cluster import scratch
from search.cluster.scratch import LOCK_NAME, _host_prefix, scratch_folder
from spaces.errors import UserError

HOLD = """
import sys
from search.cluster.scratch import scratch_folder
with scratch_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary_root(monkeypatch):
    """Return a folder for temporary files; pytest's own has a path too long for Ray."""
    with tempfile.TemporaryDirectory(prefix="kdt-", dir="/tmp") as root:
        monkeypatch.setenv("TMPDIR", root)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(root)


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


def test_folders_of_killed_runs_are_removed_and_those_of_living_runs_are_not(temporary_root):
    other_host, linked = temporary_root / "kd-0000-else", temporary_root / f"{_host_prefix()}linked"
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


SESSION = (
    "session_2026-11-30_08-00-00_123456_4194304/sockets/plasma_store"  # the longest path, with the largest process id
)


@pytest.mark.parametrize("characters", [0, 8, 29, 36, 89])
def test_the_sockets_of_ray_fit_below_a_temporary_folder_of_any_length(characters, temporary_root, monkeypatch):
    long = temporary_root / ("x" * characters)
    long.mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.setattr(scratch, "SHORT_ROOTS", (str(temporary_root),))
    with scratch_folder() as folder:
        assert len(f"{folder}/{SESSION}") <= 107
        assert folder.parent == (long if len(str(long)) <= 26 else temporary_root)


def test_without_a_shorter_folder_the_variable_is_named(temporary_root, monkeypatch):
    long = temporary_root / ("x" * 89)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.setattr(scratch, "SHORT_ROOTS", ())
    expected = f"TMPDIR={long}: {len(str(long))} characters, but Ray's sockets fit into at most 26; set TMPDIR to"
    with pytest.raises(UserError, match=expected), scratch_folder():
        pass
