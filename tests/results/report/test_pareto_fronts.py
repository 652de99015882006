from __future__ import annotations

import pandas
import pytest

from results.experiment import load_experiment
from results.report import pareto_fronts
from results.report.pareto_fronts import pareto_figures


@pytest.fixture
def sized(full) -> pandas.DataFrame:
    """A leaderboard in which the second configuration has a smaller network."""
    lines = load_experiment(full).leaderboard()
    lines.loc[1, ["parameters", "macs", "latency_ms"]] = [1000, 900, 0.125]
    return lines


KNOBS = ["method.alpha", "method.temperature"]


def test_one_point_per_configuration_and_the_teacher_not_on_the_front(sized):
    parameters, macs, latency = pareto_figures(sized, KNOBS)
    assert (parameters.key, macs.key, latency.key) == ("parameters", "macs", "latency_ms")
    assert len(parameters.points) == 8 and parameters.caption.startswith("One point per configuration; 2 on the")
    teacher = next(point for point in parameters.points if point.group == "teacher")
    assert (teacher.cost, teacher.percent, teacher.front) == (1404682, 98.0, False)
    assert [point.group for point in parameters.points if point.front] == ["chosen", "explore"]


def test_a_tooltip_names_the_configuration_and_n(sized):
    best = next(point for point in pareto_figures(sized, KNOBS)[0].points if point.group == "chosen")
    assert best.tip.splitlines()[0].startswith("explore, alpha ") and "(n = 3)" in best.tip
    assert "1,238,730 parameters" in best.tip


def test_latency_has_a_short_title_and_its_conditions_in_the_caption(sized):
    latency = pareto_figures(sized, KNOBS)[2]
    assert latency.name == "latency of one image (ms)" and latency.caption.endswith("of the machine that trained.")
    assert any(line.endswith(" ms") for line in latency.points[0].tip.splitlines())


def test_students_of_one_size_have_no_figure(full, empty):
    for folder in (full, empty().folder):
        assert pareto_figures(load_experiment(folder).leaderboard(), KNOBS) == []


def test_of_many_configurations_front_and_baseline_are_always_shown(sized, monkeypatch):
    monkeypatch.setattr(pareto_fronts, "MAX_POINTS", 2)
    figure = pareto_figures(sized, KNOBS)[0]
    assert len(figure.points) == 6 and "6 of 8 are shown: the best 1, " in figure.caption
    assert sum(point.front for point in figure.points) == 2
    assert {"chosen", "baseline", "teacher"} <= {point.group for point in figure.points}
