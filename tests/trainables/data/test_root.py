from __future__ import annotations

from pathlib import Path

import pytest

from trainables.data.root import find, given, where


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KD_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return tmp_path


def test_the_option_wins_over_the_variable_over_the_cache(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    assert where(None) == home / ".cache" / "distil-search" / "data" and not given(None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    assert where(None) == home / "cache" / "distil-search" / "data" and not given(None)
    monkeypatch.setenv("KD_DATA", "~/sets")
    assert where(None) == home / "sets" and given(None)
    assert where(Path("here")) == Path("here") and given(Path("here"))


@pytest.mark.parametrize("value", ["", "relative/cache"])
def test_a_cache_that_is_no_absolute_path_is_ignored(monkeypatch: pytest.MonkeyPatch, home: Path, value: str) -> None:
    """As the XDG base directory specification asks."""
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("KD_DATA", "")
    assert where(None) == home / ".cache" / "distil-search" / "data" and not given(None)


def test_find_prefers_the_first_folder_and_the_unpacked_file(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    for path in (first / "a.gz", second / "a", second / "b", second / "b.gz"):
        path.touch()
    assert find(["a", "b", "c"], [first, second]) == {"a": first / "a.gz", "b": second / "b", "c": None}
