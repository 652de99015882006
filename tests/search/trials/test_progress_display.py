"""Progress display: plain lines in a file, one live bar in a terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from search.students.spec import StudentSpec, student_spec
from search.trials import progress_display, time_left
from search.trials.progress_display import ProgressDisplay

KNOBS = {"method.alpha": 0.5, "method.temperature": 4}


@pytest.fixture(params=["file", "terminal"])
def console(request) -> Console:
    terminal = request.param == "terminal"
    return Console(file=StringIO(), force_terminal=terminal, width=200, _environ={"TERM": "xterm"} if terminal else {})


@pytest.fixture
def students(space) -> list[StudentSpec]:
    tiny = space()
    explored = [student_spec(tiny, "explore", KNOBS, seed, 0) for seed in range(4)]
    return [*explored, student_spec(tiny, "baseline", KNOBS, 0, 0)]


@pytest.fixture
def shown_text(console, students, monkeypatch):
    """Run a whole search on the display; plain lines about epochs are printed without an interval."""
    monkeypatch.setattr(progress_display, "PRINT_INTERVAL_SECONDS", -1.0)

    def shown(metric: str = "val_accuracy", mode: str = "max") -> tuple[ProgressDisplay, str]:
        with ProgressDisplay(console, metric, mode) as display:
            run(display, students)
        return display, console.file.getvalue()

    return shown


def run(display: ProgressDisplay, students: list[StudentSpec]) -> None:
    """Show two epochs of a teacher, then students of three epochs with every status."""
    display.begin_stage("teacher mlp", 2)
    for epoch in (1, 2):
        display.teacher_epoch("teacher mlp", epoch, 2, 0.5)
    display.begin_stage("explore", 15, 5, 0)
    ends = [("finished", 0.5), ("stopped", 0.9), ("diverged", None), ("failed", None), ("finished", 0.25)]
    for student, (status, value) in zip(students, ends, strict=True):
        done = 3 if status == "finished" else 1
        for epoch in range(1, done + 1):
            display.student_epoch(student, {"epoch": epoch})
        display.student_ended(student, status, value, "out of [memory]" if status == "failed" else None, 3 - done)


def test_all_events_are_shown(shown_text, console):
    display, text = shown_text()
    assert display.counts == {"finished": 2, "stopped": 1, "diverged": 1, "failed": 1}
    assert not display.running
    assert display.stage.completed == display.stage.total == 9
    assert "out of [memory]" in text and "alpha 0.5, temperature 4, seed 3" in text
    assert ("\x1b[" in text) == console.is_terminal


def test_a_failed_student_gets_one_line(shown_text):
    _, text = shown_text()
    assert len([line for line in text.splitlines() if "out of [memory]" in line]) == 1


@pytest.mark.parametrize("console", ["file"], indirect=True)
def test_a_file_gets_plain_lines(shown_text):
    _, text = shown_text()
    lines = text.splitlines()
    assert "explore: 5 students, 15 epochs" in lines
    assert "  teacher mlp: epoch 2/2, validation 50.00 %" in lines
    assert "  1/15 epochs" in text and "best validation 50.00 % (single seed: alpha 0.5, temperature 4, seed 0)" in text
    assert "\x1b" not in text and "\r" not in text


@pytest.mark.parametrize("console", ["file"], indirect=True)
def test_the_time_left_is_estimated_from_this_run(console, students, monkeypatch):
    monkeypatch.setattr(progress_display, "PRINT_INTERVAL_SECONDS", -1.0)
    display = ProgressDisplay(console, "val_accuracy", "max")
    display.begin_stage("explore", 100, 5, resumed=90)
    for seconds in (0.0, 20.0):
        monkeypatch.setattr(time_left, "monotonic", lambda now=seconds: now)
        display.student_epoch(students[0], {"epoch": 1})
    assert console.file.getvalue().splitlines()[1:] == [
        "  91/100 epochs, 1 running",
        "  92/100 epochs, left 0:02:40, 1 running",
    ]


@pytest.mark.parametrize("console", ["file"], indirect=True)
def test_plain_lines_are_few(shown_text, monkeypatch):
    monkeypatch.setattr(progress_display, "PRINT_INTERVAL_SECONDS", 1000.0)
    assert shown_text()[1].splitlines() == [
        "teacher mlp …",
        "  teacher mlp: epoch 2/2, validation 50.00 %",
        "explore: 5 students, 15 epochs",
        "failed alpha 0.5, temperature 4, seed 3: out of [memory]",
        "  9/9 epochs, 2 finished, 1 stopped, 1 diverged, 1 failed, "
        "best validation 50.00 % (single seed: alpha 0.5, temperature 4, seed 0)",
    ]


@pytest.mark.parametrize("console", ["terminal"], indirect=True)
def test_a_terminal_gets_one_bar(console, students):
    with ProgressDisplay(console, "val_accuracy", "max") as display:
        run(display, students)
        display.live.refresh()
        assert isinstance(console.file, StringIO)
        text = console.file.getvalue()
    assert "9/9 epochs" in text and "2 finished" in text and "best validation 50.00 %" in text
    assert "explore: 5 students" not in text


@pytest.mark.parametrize(("metric", "mode", "best"), [("val_accuracy", "max", 0.5), ("val_loss", "min", 0.25)])
def test_the_best_student_is_a_finished_one(shown_text, metric, mode, best):
    display, _ = shown_text(metric, mode)
    assert display.best is not None and display.best.value == best


def test_a_resumed_stage_counts_earlier_epochs(console):
    with ProgressDisplay(console, "val_accuracy", "max") as display:
        display.begin_stage("explore", 15, 2, 9)
        assert (display.stage.completed, display.stage.total) == (9, 15)
    if not console.is_terminal:
        assert "explore: 2 students, 6 epochs" in console.file.getvalue()


@pytest.mark.parametrize("console", ["terminal"], indirect=True)
def test_a_terminal_shows_what_is_waited_for(console, students):
    assert isinstance(console.file, StringIO)
    with ProgressDisplay(console, "val_accuracy", "max", planned_epoch_seconds=2.0) as display:
        display.live.refresh()
        assert "starting Ray …" in console.file.getvalue()
        display.begin_stage("explore", 15, 5, workers=2)
        display.live.refresh()
        text = console.file.getvalue()
        assert "starting 2 workers" in text and "0/15 epochs, elapsed 0:00:00, left 0:00:30" in text
        display.student_epoch(students[0], {"epoch": 1})
        assert "1 running" in display._details()


@pytest.mark.parametrize("console", ["terminal"], indirect=True)
def test_a_stage_starts_from_the_pace_of_the_plan_or_of_the_stage_before(console, students, monkeypatch):
    display = ProgressDisplay(console, "val_accuracy", "max", 1.0, planned_teacher_seconds=4.0)
    display.begin_stage("teacher mlp", 2)
    assert display.stage.seconds_left == 8
    display.teacher_epoch("teacher mlp", 2, 2, 0.5)
    assert display._details() == "validation 50.00 %, computing the outputs for all images"
    display.begin_stage("explore", 1000, 5)
    assert display.stage.seconds_left == 1000
    for second in range(301):  # on a machine that got slower, five seconds an epoch
        monkeypatch.setattr(time_left, "monotonic", lambda now=5.0 * second: now)
        display.student_epoch(students[0], {"epoch": 1})
    display.begin_stage("confirm", 10, 2)
    assert display.stage.seconds_left == 10 * (20 + 1500) / 320


def test_an_empty_stage_is_allowed(console):
    with ProgressDisplay(console, "val_accuracy", "max") as display:
        display.begin_stage("explore", 0, 0, 0)
