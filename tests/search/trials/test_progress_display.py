"""What a person sees: plain lines in a file, one live bar in a terminal."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from search.students.spec import StudentSpec, student_spec
from search.trials import progress_display as displays
from search.trials.progress_display import ProgressDisplay, student_label

KNOBS = {"method.alpha": 0.5, "method.temperature": 4}


@pytest.fixture(params=["file", "terminal"])
def console(request) -> Console:
    terminal = request.param == "terminal"
    return Console(file=StringIO(), force_terminal=terminal, width=200, _environ={"TERM": "xterm"} if terminal else {})


@pytest.fixture
def students(space) -> list[StudentSpec]:
    tiny = space()
    pupils = [student_spec(tiny, "explore", KNOBS, seed, 0) for seed in range(4)]
    return [*pupils, student_spec(tiny, "baseline", KNOBS, 0, 0)]


@pytest.fixture
def seen(console, students, monkeypatch):
    """Everything a whole search shows; plain lines about epochs come without waiting."""
    monkeypatch.setattr(displays, "PRINT_INTERVAL_SECONDS", -1.0)

    def shown(metric: str = "val_accuracy", mode: str = "max") -> tuple[ProgressDisplay, str]:
        with ProgressDisplay(console, metric, mode) as display:
            run(display, students)
        return display, console.file.getvalue()

    return shown


def run(display: ProgressDisplay, students: list[StudentSpec]) -> None:
    """Two epochs of a teacher, then students of three epochs with every kind of end."""
    display.begin_stage("teacher mlp", 2)
    for epoch in (1, 2):
        display.teacher_epoch("teacher mlp", epoch, 2, 0.5)
    display.begin_stage("explore", 15, 5, 0)
    ends = [("finished", 0.5), ("stopped", 0.9), ("diverged", None), ("failed", None), ("finished", 0.25)]
    for each, (status, value) in zip(students, ends, strict=True):
        done = 3 if status == "finished" else 1
        for epoch in range(1, done + 1):
            display.student_epoch(each, {"epoch": epoch})
        display.student_ended(each, status, value, "out of [memory]" if status == "failed" else None, 3 - done)


def test_everything_that_happens_can_be_shown(seen, console):
    display, text = seen()
    assert display.counts == {"finished": 2, "stopped": 1, "diverged": 1, "failed": 1}
    assert not display.running
    task = display.progress.tasks[0]
    assert task.completed == task.total == 9
    assert "out of [memory]" in text and "alpha 0.5, temperature 4, seed 3" in text
    assert ("\x1b[" in text) == console.is_terminal


def test_a_failed_student_gets_one_line(seen):
    _, text = seen()
    assert len([line for line in text.splitlines() if "out of [memory]" in line]) == 1


@pytest.mark.parametrize("console", ["file"], indirect=True)
def test_a_file_gets_plain_lines(seen):
    _, text = seen()
    lines = text.splitlines()
    assert "explore: 5 students, 15 epochs" in lines
    assert "  teacher mlp: epoch 2/2, validation 50.00%" in lines
    assert "  1/15 epochs" in text and "best val_accuracy 0.5000 (alpha 0.5, temperature 4, seed 0)" in text
    assert "\x1b" not in text and "\r" not in text


@pytest.mark.parametrize("console", ["file"], indirect=True)
def test_what_is_left_is_told_from_the_epochs_of_this_run(console, students, monkeypatch):
    monkeypatch.setattr(displays, "PRINT_INTERVAL_SECONDS", -1.0)
    monkeypatch.setattr(displays, "monotonic", lambda: 0.0)
    display = ProgressDisplay(console, "val_accuracy", "max")
    display.begin_stage("explore", 100, 5, resumed=90)
    monkeypatch.setattr(displays, "monotonic", lambda: 20.0)
    display.student_epoch(students[0], {"epoch": 1})
    assert "91/100 epochs, 0:03:00 left" in console.file.getvalue()


@pytest.mark.parametrize("console", ["file"], indirect=True)
def test_plain_lines_are_few(seen, monkeypatch):
    monkeypatch.setattr(displays, "PRINT_INTERVAL_SECONDS", 1000.0)
    assert len(seen()[1].splitlines()) == 3  # two stages and the failure


@pytest.mark.parametrize("console", ["terminal"], indirect=True)
def test_a_terminal_gets_one_bar(console, students):
    with ProgressDisplay(console, "val_accuracy", "max") as display:
        run(display, students)
        display.progress.refresh()
        assert isinstance(console.file, StringIO)
        text = console.file.getvalue()
    assert "9/9 epochs" in text and "2 finished" in text and "best val_accuracy 0.5000" in text
    assert "explore: 5 students" not in text


@pytest.mark.parametrize(("metric", "mode", "best"), [("val_accuracy", "max", 0.5), ("val_loss", "min", 0.25)])
def test_the_best_is_the_best_of_the_finished(seen, metric, mode, best):
    display, _ = seen(metric, mode)
    assert display.best is not None and display.best[0] == best


def test_a_resumed_stage_counts_what_was_done(console):
    with ProgressDisplay(console, "val_accuracy", "max") as display:
        display.begin_stage("explore", 15, 2, 9)
        assert (display.progress.tasks[0].completed, display.progress.tasks[0].total) == (9, 15)
    if not console.is_terminal:
        assert "explore: 2 students, 6 epochs" in console.file.getvalue()


def test_nothing_to_do_is_no_mistake(console):
    with ProgressDisplay(console, "val_accuracy", "max") as display:
        display.begin_stage("explore", 0, 0, 0)


def test_a_student_in_a_few_words(space):
    ranged = space(train={"lr": {"loguniform": [1e-4, 1]}}, search={"algorithm": "random", "trials": 2})
    values = {"train.lr": 0.0012345, **KNOBS}
    assert (
        student_label(student_spec(ranged, "explore", values, 2, 0)) == "lr 0.00123, alpha 0.5, temperature 4, seed 2"
    )
    assert student_label(student_spec(ranged, "baseline", values, 2, 0)) == "baseline, lr 0.00123, seed 2"
