from __future__ import annotations

import sys
from io import StringIO

import pytest

from trainables.data import progress_line
from trainables.data.progress_line import show_progress


class Terminal(StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call is half a second after the previous one."""
    times = iter(range(10**6))
    monkeypatch.setattr(progress_line, "monotonic", lambda: next(times) / 2)


def printed(monkeypatch: pytest.MonkeyPatch, stream: StringIO, items: int) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(show_progress(range(items), 1000, "reading")) == list(range(items))
    return stream.getvalue()


@pytest.mark.usefixtures("clock")
def test_a_log_gets_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, StringIO(), 1000) == "reading: 1,000 …\n"


@pytest.mark.usefixtures("clock")
def test_a_terminal_gets_an_updated_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, Terminal(), 1000).split("\r")
    assert lines[0] == "" and lines[1] == "reading: 3 of 1,000" and lines[-1] == "reading: 1,000 of 1,000\n"
    assert len(lines) > 100


def test_short_steps_print_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(monkeypatch, Terminal(), 1000) == printed(monkeypatch, StringIO(), 1000) == ""


@pytest.mark.usefixtures("clock")
def test_the_line_ends_when_the_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    with pytest.raises(ZeroDivisionError):
        list(show_progress((1 // (10 - n) for n in range(20)), 20, "reading"))
    assert stream.getvalue().endswith("reading: 10 of 20\n")


@pytest.mark.usefixtures("clock")
def test_sizes_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    assert list(show_progress([b"abc", b"de", b"f"], 6, "bytes", len)) == [b"abc", b"de", b"f"]
    assert stream.getvalue().endswith("bytes: 6 of 6\n")
