"""Time left of a stage."""

from __future__ import annotations

import pytest

from search.trials import time_left
from search.trials.time_left import PLANNED_WEIGHT, TEACHER_WEIGHT, EpochClock


@pytest.fixture
def at(monkeypatch):
    """Set the time in seconds."""
    return lambda seconds: monkeypatch.setattr(time_left, "monotonic", lambda: seconds)


def test_the_start_of_the_workers_does_not_count(at):
    clock = EpochClock()
    for seconds, student in ((60, "a"), (61, "b"), (71, "a")):
        at(seconds)
        clock.report(student)
        assert clock.seconds_left(10, running=2) is None
    clock.report("b")
    assert clock.seconds_left(10, running=2) == 10 * 10 / 2


def test_students_of_one_epoch_have_an_estimate_after_the_first_end(at):
    clock = EpochClock()
    for seconds, student in ((60, "a"), (63, "b")):
        at(seconds)
        clock.report(student)
        clock.end_first_round()
    assert clock.seconds_left(2, running=0) == 6


def test_the_estimate_of_the_plan_counts_until_epochs_are_measured(at):
    clock = EpochClock(2.0)
    at(100)
    assert clock.seconds_left(10) == 20
    clock.report("a")
    assert clock.seconds_left(10) == 20
    for second in range(101, 2101):
        at(second)
        clock.report("a")
    assert clock.seconds_left(10) == pytest.approx(10 * (2 * PLANNED_WEIGHT + 2000) / (PLANNED_WEIGHT + 2000))


def test_the_plan_counts_little_for_a_teacher(at):
    """Its epochs take equal times, so few of them are a better estimate."""
    clock = EpochClock(2.0, TEACHER_WEIGHT)
    for second in (100, 110, 120, 130):
        at(second)
        clock.report("teacher cnn")
    assert clock.epoch_seconds() == (2 * TEACHER_WEIGHT + 30) / (TEACHER_WEIGHT + 3)
