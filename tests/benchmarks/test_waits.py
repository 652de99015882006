"""Waits beside the training."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import waits
from benchmarks.many_students import DriverCost


def test_a_trial_costs_the_difference_of_two_searches(tmp_path: Path, monkeypatch) -> None:
    calls = []

    def measure(module: str, space: str, *flags: str, cache: Path, **variables: str) -> DriverCost:
        students = int(Path(space).stem)
        calls.append((module, students, "pack: 1" in Path(space).read_text(), variables))
        return DriverCost(1.0, 5 + students * (0.03 if module == "search.run" else 0.02), 1.0)

    monkeypatch.setattr(waits, "measure_driver", measure)
    assert waits.driver_seconds_per_trial(tmp_path, tmp_path) == pytest.approx({"own": 0.03, "peer": 0.02})
    assert len(calls) == 4 and all(single and variables == waits.NO_LOGGERS for _, _, single, variables in calls)


def test_tables_cost_what_further_students_add(tmp_path: Path, monkeypatch) -> None:
    for folder, students in (("few", 2), ("many", 10)):
        for student in range(students):
            (tmp_path / folder / "trials" / str(student)).mkdir(parents=True)
    monkeypatch.setattr(waits, "processor_seconds", lambda *command: 3.0 if command[-1].endswith("few") else 3.4)
    assert waits.table_seconds_per_student(tmp_path / "few", tmp_path / "many") == pytest.approx(0.05)


def test_an_answer_is_timed_whatever_its_exit_code(monkeypatch) -> None:
    monkeypatch.setattr(waits, "COMMANDS", {"a misspelled flag": ["mnist_hinton", "--smoke-tst"]})
    monkeypatch.setattr(waits, "PEER_IMPORTS", "raise SystemExit(3)")
    seconds = waits.answer_seconds()
    assert 0 < seconds["imports"] < seconds["a misspelled flag"]


def test_figures_of_the_fast_suite() -> None:
    lines = ["processor time: 958 s of at most 2400 s", "33.51s setup    a", "6.40s call     b", "6237 passed in 486 s"]
    output = "\n".join(lines)
    assert waits.suite_figures(output) == pytest.approx({"processor": 958, "tests": 6237, "longest": 39.91})
    with pytest.raises(ValueError, match="no summary"):
        waits.suite_figures("")
