"""The command that shows and prunes the cache."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from trainables.cache import main
from trainables.data.array_file import write_array
from trainables.data.cache_limit import hold_file


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of two arrays, an unpacked archive and a teacher, all old."""
    monkeypatch.setenv("KD_CACHE", str(tmp_path))
    for name in ("old.npy", "held.npy"):
        write_array(tmp_path / "images" / name, [np.zeros(8, np.uint8)], (8,), np.uint8)
    hold_file(tmp_path / "images" / "held.npy")
    for path in (tmp_path / "unpacked" / "a" / "b.png", tmp_path / "0123" / "weights.safetensors"):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    for path in (*tmp_path.glob("images/*"), tmp_path / "unpacked" / "a"):
        os.utime(path, (1, 1))
    return tmp_path


def test_the_cache_is_shown_and_pruned(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == f"{cache}: images limited to 50 GB by KD_CACHE_GB"
    assert [line.split()[-3] for line in shown[1:]] == ["1", "2", "1"]
    assert main(["--prune", "--days", "7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"removed {cache}/images/old.npy (0.00 GB)", f"removed {cache}/unpacked/a"]
    assert (cache / "images" / "held.npy").exists() and (cache / "0123" / "weights.safetensors").exists()


def test_new_parts_stay(cache: Path) -> None:
    for path in (cache / "images" / "old.npy", cache / "unpacked" / "a"):
        os.utime(path)
    assert main(["--prune"]) == 0
    assert (cache / "images" / "old.npy").exists() and (cache / "unpacked" / "a" / "b.png").exists()


def test_a_wrong_limit_is_one_line(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KD_CACHE_GB", "-1")
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("KD_CACHE_GB: found -1, expected")
