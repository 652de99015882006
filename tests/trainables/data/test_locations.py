"""Data root and cache folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables.data.locations import cache_folder, data_root, data_root_is_set, find_files


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("KD_DATA", "KD_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path


def test_the_data_root_is_option_then_variable_then_default(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert data_root(None) == home / ".cache" / "distil-search" / "data" and not data_root_is_set(None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    assert data_root(None) == home / "cache" / "distil-search" / "data" and not data_root_is_set(None)
    monkeypatch.setenv("KD_DATA", "~/sets")
    assert data_root(None) == home / "sets" and data_root_is_set(None)
    assert data_root(Path("here")) == Path("here") and data_root_is_set(Path("here"))


@pytest.mark.parametrize("value", ["", "relative/cache"])
def test_a_relative_xdg_cache_is_ignored(monkeypatch: pytest.MonkeyPatch, home: Path, value: str) -> None:
    """As the XDG base directory specification requires."""
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("KD_DATA", "")
    assert data_root(None) == home / ".cache" / "distil-search" / "data" and not data_root_is_set(None)


def test_the_cache_folder_is_variable_then_default(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert cache_folder() == home / ".cache" / "distil-search" / "teachers"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    assert cache_folder() == home / "cache" / "distil-search" / "teachers"
    monkeypatch.setenv("KD_CACHE", "~/mine")
    assert cache_folder() == home / "mine"


def test_find_files_prefers_the_first_folder_and_the_unpacked_file(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    for path in (first / "a.gz", second / "a", second / "b", second / "b.gz"):
        path.touch()
    assert find_files(["a", "b", "c"], [first, second]) == {"a": first / "a.gz", "b": second / "b", "c": None}
