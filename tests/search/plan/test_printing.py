"""Printed plan."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from search.plan import estimate
from search.plan.estimate import Plan
from search.plan.printing import print_plan


@pytest.mark.parametrize(("megabytes", "size"), [(0.01, "less than 1 MB"), (0.6, "1 MB"), (1234.0, "1,234 MB")])
def test_the_plan_explains_stages_and_rounds_no_size_to_zero(space, digits, monkeypatch, megabytes, size):
    plan = Plan(
        {"explore": 24, "baseline": 3, "confirm": 6},
        1,
        {"explore": 1000, "baseline": 140, "confirm": 256},
        70.0,
        megabytes,
        10.0,
    )
    monkeypatch.setattr(estimate, "estimate_plan", lambda *_: plan)
    console = Console(file=StringIO(), width=200)
    adaptive = space(search={"algorithm": "random", "trials": 24})
    assert print_plan(adaptive, digits, [], "runs/tiny", console, in_full=False, import_seconds=1.0) is plan
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[2:] == [
        "  students  at most 33: 24 explore (searched), 3 baseline (labels only),",
        "            6 confirm (the best, new seeds)",
        "  epochs    at most 1,396",
        f"  estimate  about 1 min 10 s on this machine, {size} of weights",
        "  folder    runs/tiny",
    ]
    assert plan.epoch_seconds == pytest.approx(60 / 1396)


@pytest.mark.parametrize(("hours", "warned"), [(0.002, True), (1, False), (None, False)])
def test_hours_shorter_than_the_teachers_are_named(space, digits, monkeypatch, hours, warned):
    epochs = {"explore": 1256, "baseline": 140, "confirm": 0}
    plan = Plan({"explore": 24, "baseline": 3, "confirm": 0}, 1, epochs, 70.0, 1.0, 30.0)
    monkeypatch.setattr(estimate, "estimate_plan", lambda *_: plan)
    console = Console(file=StringIO(), width=200)
    adaptive = space(search={"algorithm": "random", "trials": 24} | ({"hours": hours} if hours else {}))
    print_plan(adaptive, digits, [], "runs/tiny", console, in_full=False, import_seconds=1.0)
    assert isinstance(console.file, StringIO)
    line = "  hours     0.002 end before a student begins: the teachers take about 30.0 s\n"
    assert (line in console.file.getvalue()) == warned
