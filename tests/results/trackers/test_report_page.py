"""The report page of a running search."""

from __future__ import annotations

import pytest

from results import paths
from results.students import history
from results.trackers import report_page

VALUES = {"method.alpha": 0.5, "method.temperature": 4}


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """Time of the tracker; building a page takes two seconds of it."""
    now, built = [0.0], report_page.report_page
    monkeypatch.setattr(report_page, "monotonic", lambda: now[0])

    def slow_page(experiment) -> str:
        now[0] += 2.0
        return built(experiment)

    monkeypatch.setattr(report_page, "report_page", slow_page)
    return now


def test_the_page_exists_at_once_and_takes_one_percent_of_the_time(empty, clock):
    folder = (build := empty()).folder
    tracker = report_page.start_tracker(folder, None, None, [])
    page = paths.report_file(folder)
    first = page.read_text()
    assert "0 of 0 students ended" in first
    trial = build.student("explore", VALUES, 0)
    clock[0] += 199.0
    tracker.update(history(folder, trial))
    assert page.read_text() == first
    clock[0] += 1.0
    tracker.update(history(folder, trial))
    assert "1 of 1 students ended (1 finished)" in page.read_text()
    clock[0] += 100.0
    tracker.close([], done=True)
    assert not list(folder.glob(".*.part"))


def test_a_small_page_is_not_written_all_the_time(empty, clock, monkeypatch):
    monkeypatch.setattr(report_page, "PAUSE_FACTOR", 0)
    folder = (build := empty()).folder
    tracker = report_page.start_tracker(folder, None, None, [])
    trial = build.student("explore", VALUES, 0)
    clock[0] += report_page.MIN_PAUSE_SECONDS - 0.1
    tracker.update(history(folder, trial))
    assert "0 of 0 students" in paths.report_file(folder).read_text()
