"""Costs of many students: sampled processes, and the table."""

from __future__ import annotations

import subprocess

import pytest

from benchmarks import many_students


def test_the_driver_is_sampled_and_a_failure_is_raised(tmp_path, monkeypatch):
    monkeypatch.setattr(many_students, "SAMPLE_SECONDS", 0.01)
    cost = many_students.measure_driver("timeit", "-n", "1", "-r", "1", "sum(range(2 * 10**7))", cache=tmp_path)
    assert cost.wall > 0 and cost.processor > 0 and 1 < cost.peak_mb < 100
    with pytest.raises(subprocess.CalledProcessError):
        many_students.measure_driver("json.tool", str(tmp_path / "none"), cache=tmp_path)


def test_each_part_is_measured_once_and_has_a_column(tmp_path):
    calls: list[int] = []

    def measure(students: int, folder) -> dict[str, float]:
        calls.append(students)
        cost = {"wall": 1234.0, "processor": 200.0, "peak_mb": 456.0, "students": students}
        return {**cost, "tables": 25.0, "report_mb": 6.24, "folder_mb": 99.0}

    own = many_students.measured_once(tmp_path / "search.json", measure, 10_000)
    plain = many_students.measured_once(tmp_path / "tune.json", measure, 2_000)
    assert many_students.measured_once(tmp_path / "search.json", measure, 7) == own and calls == [10_000, 2_000]
    table = many_students.many_students_markdown(own, plain)
    assert "| students of one epoch | 10,000 | 2,000 |" in table
    assert "| driver: processor time per student, ms | 20.0 | 100.0 |" in table
    assert "| `python -m results`: processor time, s | 25.0 | – |\n| … per student, ms | 2.5 | – |" in table
