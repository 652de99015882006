"""Live lines on terminals of several widths."""

from __future__ import annotations

from io import StringIO
from time import monotonic

import pytest
from rich.console import Console

from search.students.spec import student_spec
from search.trials.live_lines import BestStudent, StageProgress, details_text, live_lines, metric_text, student_label

KNOBS = {"method.alpha": 0.5, "method.temperature": 4}
BEST = BestStudent("val_accuracy", 0.4967, "alpha 0.5, temperature 4, seed 0", False)


def screen(stage: StageProgress, details: str, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(live_lines(stage, details, width))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("name", ["explore", "teacher mobilenet_v2_of_a_long_name_for_a_network"])
@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_bar_percent_and_time_left_are_always_shown(name, width):
    stage = StageProgress(name, 1140, 2520, monotonic() - 17, 21.2)
    first, second = screen(stage, "2 running, " + "1 finished, " * 30, width)
    assert max(len(first), len(second)) <= width
    assert first.startswith(name[:7]) and "━━" in first
    assert " 45%" in first and "left 0:00:21" in first
    assert ("1140/2520 epochs, elapsed 0:00:17, left" in first) == (width > 60)


def test_no_time_left_without_an_estimate():
    first, _ = screen(StageProgress("explore", 0, 252, monotonic(), None), "starting 2 workers", 80)
    assert first.endswith("0% 0/252 epochs, elapsed 0:00:00")


def test_a_wait_has_no_bar():
    assert screen(StageProgress("starting Ray", 0, 0, monotonic(), None), "", 80) == ["starting Ray … elapsed 0:00:00"]


def test_the_best_student_is_dropped_first():
    counts = "2 running, 1 finished"
    full = f"{counts}, best validation 49.67 % (single seed: alpha 0.5, temperature 4, seed 0)"
    assert details_text(counts, BEST) == details_text(counts, BEST, 200) == full
    assert details_text(counts, BEST, 80) == f"{counts}, best validation 49.67 % (single seed)"
    assert details_text(counts, BEST, 40) == details_text(counts, None, 80) == counts
    baseline = BEST._replace(label="baseline, seed 0" * 9, is_baseline=True)
    assert details_text(counts, baseline, 80).endswith("best validation 49.67 % (baseline, single seed)")


def test_fractions_are_in_percent_and_losses_plain():
    names = ("val_accuracy", "val_macro_f1", "val_loss", "val_brier")
    assert [metric_text(name, 0.5) for name in names] == [
        *("validation 50.00 %", "validation macro F1 50.00 %", "validation NLL 0.5000", "validation Brier 0.5000")
    ]


def test_label_of_a_student(space):
    ranged = space(train={"lr": {"loguniform": [1e-4, 1]}}, search={"algorithm": "random", "trials": 2})
    values = {"train.lr": 0.0012345, **KNOBS}
    assert (
        student_label(student_spec(ranged, "explore", values, 2, 0)) == "lr 0.00123, alpha 0.5, temperature 4, seed 2"
    )
    assert student_label(student_spec(ranged, "baseline", values, 2, 0)) == "baseline, lr 0.00123, seed 2"
