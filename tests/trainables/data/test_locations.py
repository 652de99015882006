from __future__ import annotations

from pathlib import Path

import pytest

from trainables.data.locations import data_root, data_root_is_set, find_files


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KD_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path


def test_the_option_wins_over_the_variable_over_the_cache(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert data_root(None) == home / ".cache" / "distil-search" / "data" and not data_root_is_set(None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    assert data_root(None) == home / "cache" / "distil-search" / "data" and not data_root_is_set(None)
    monkeypatch.setenv("KD_DATA", "~/sets")
    assert data_root(None) == home / "sets" and data_root_is_set(None)
    assert data_root(Path("here")) == Path("here") and data_root_is_set(Path("here"))


@pytest.mark.parametrize("value", ["", "relative/cache"])
def test_a_cache_that_is_no_absolute_path_is_ignored(monkeypatch: pytest.MonkeyPatch, home: Path, value: str) -> None:
    """As the XDG base directory specification asks."""
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("KD_DATA", "")
    assert data_root(None) == home / ".cache" / "distil-search" / "data" and not data_root_is_set(None)


def test_find_prefers_the_first_folder_and_the_unpacked_file(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    for path in (first / "a.gz", second / "a", second / "b", second / "b.gz"):
        path.touch()
    assert find_files(["a", "b", "c"], [first, second]) == {"a": first / "a.gz", "b": second / "b", "c": None}
