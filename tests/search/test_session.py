"""How long a search took, however often it was begun."""

from __future__ import annotations

import pytest

from results import records
from search.session import earlier


def row(folder, trial: str, time: float) -> None:
    begun = {"kind": "student", "trial": trial, "stage": "explore", "seed": 0, "time": time}
    records.append(folder, trial, begun)


def test_what_is_begun_for_the_first_time_has_taken_no_time(folder):
    assert earlier(folder) == 0


def test_who_ended_by_itself_has_said_how_long_it_took(folder):
    row(folder, "one", 5000.0)
    records.save_environment(folder, {"spent_seconds": 60.0})
    assert earlier(folder) == 60


@pytest.mark.parametrize(("times", "seconds"), [([], 60), ([900.0], 60), ([900.0, 1500.0, 1200.0], 560)])
def test_a_run_that_was_killed_took_the_time_until_its_last_row(folder, times, seconds):
    """Otherwise its hours would be had again, and the protocol would say too few."""
    for place, time in enumerate(times):
        row(folder, f"trial-{place}", time)
    records.save_environment(folder, {"spent_seconds": 60.0, "running_since": 1000.0})
    assert earlier(folder) == seconds
