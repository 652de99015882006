from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from results.experiment import load_experiment
from results.report.pareto_fronts import pareto_figures, pareto_front
from results.students import knob_columns

POINTS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=30)


@given(POINTS)
def test_front_points_are_not_dominated(points):
    costs, scores = [cost for cost, _ in points], [score for _, score in points]
    dominated = [any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in points) for cost, score in points]
    assert pareto_front(costs, scores) == [not value for value in dominated]


def of(folder):
    experiment = load_experiment(folder)
    return pareto_figures(experiment.leaderboard(), knob_columns(experiment.students))


def test_one_point_per_configuration_and_the_teacher_not_on_the_front(full):
    parameters, macs, latency = of(full)
    assert (parameters.key, macs.key, latency.key) == ("parameters", "macs", "latency_ms")
    assert len(parameters.points) == 8 and parameters.caption.startswith("All students have the same size")
    teacher = next(point for point in parameters.points if point.group == "teacher")
    assert (teacher.cost, teacher.percent, teacher.front) == (1404682, 98.0, False)
    assert [point.group for point in parameters.points if point.front] == ["chosen"]


def test_a_tooltip_names_the_configuration_and_n(full):
    best = next(point for point in of(full)[0].points if point.group == "chosen")
    assert best.tip.splitlines()[0].startswith("explore, alpha ") and "(n = 3)" in best.tip
    assert "1,238,730 parameters" in best.tip


def test_latency_has_a_short_title_and_its_conditions_in_the_caption(full):
    latency = of(full)[2]
    assert latency.name == "latency of one image (ms)" and latency.caption.endswith("of the machine that trained.")
    assert any(line.endswith(" ms") for line in latency.points[0].tip.splitlines())


def test_before_the_first_student_only_the_teacher_is_shown(empty):
    assert [point.group for point in of(empty().folder)[0].points] == ["teacher"]
