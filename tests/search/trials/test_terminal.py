"""Live lines on real terminals, of tmux: bar, percent and time left are always there, and nothing wraps."""

from __future__ import annotations

import re

import pytest

from search.students.spec import student_spec
from search.trials.progress_display import ProgressDisplay

KNOBS = {"method.alpha": 0.5, "method.temperature": 4}
PLAN = "  folder    runs/quickstart"


@pytest.fixture(params=[(80, 24), (200, 50)], ids=["80x24", "200x50"])
def screen(request, terminal):
    return terminal(*request.param)


def stage_lines(screen, name: str, details: str) -> list[str]:
    """Return the live lines of a stage once they are shown, below the plan and with nothing else."""
    plan, *live = screen.wait(lambda lines: lines[-1] == details and lines[-2:][0].startswith(name))
    assert plan == PLAN and len(live) == 2 and len(screen.lines("-J")) == 3
    assert "━━" in live[0] and "%" in live[0] and re.search(r"left \d:\d\d:\d\d", live[0])
    return live


def test_every_stage_has_two_lines_that_fit(screen, space):
    """With many counts, and with the best student as far as there is room for it."""
    students = [student_spec(space(), "explore", KNOBS, seed, 0) for seed in range(8)]
    screen.console.print(PLAN)
    with ProgressDisplay(screen.console, "val_accuracy", "max", 2.0, 3.0) as display:
        screen.wait(lambda lines: lines[0] == PLAN and lines[-1].startswith("starting Ray … elapsed 0:"))
        display.begin_stage("teacher cnn", 12)
        display.teacher_epoch("teacher cnn", 3, 12, 0.9123)
        assert " 25%" in stage_lines(screen, "teacher cnn", "  validation 91.23 %")[0]
        display.begin_stage("explore", 2520, 8, workers=2)
        assert " 0/2520 epochs" in stage_lines(screen, "explore", "  starting 2 workers")[0]
        for student, status in zip(students, ["finished", "stopped", "diverged", "stopped"], strict=False):
            display.student_epoch(student, {"epoch": 1})
            display.student_ended(student, status, 0.9321, None, 0)
        display.student_epoch(students[-1], {"epoch": 1})
        best = (
            f"best validation 93.21 % (single seed{': alpha 0.5, temperature 4, seed 0' * (screen.console.width > 80)})"
        )
        counts = "1 running, 1 finished, 2 stopped, 1 diverged"
        counts = f"{counts}, {best}" if len(f"  {counts}, {best}") <= screen.console.width else counts
        stage_lines(screen, "explore", f"  {counts}")
        display.begin_stage("confirm", 36, 4, workers=2)
        stage_lines(screen, "confirm", f"  starting 2 workers, {best}")
    screen.console.print("the results")
    screen.wait(lambda lines: lines == [PLAN, "the results"])
