from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from results import experiment as experiments
from results.report.sizes import front, sizes
from results.students import knobs

POINTS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=30)


@given(POINTS)
def test_the_front_is_what_nothing_beats(points):
    costs, scores = [cost for cost, _ in points], [score for _, score in points]
    beaten = [any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in points) for cost, score in points]
    assert front(costs, scores) == [not lost for lost in beaten]


def of(folder):
    experiment = experiments.load(folder)
    return sizes(experiments.leaderboard(experiment), knobs(experiment.students))


def test_a_point_per_configuration_and_the_teacher_off_the_front(full):
    parameters, macs, latency = of(full)
    assert (parameters.key, macs.key, latency.key) == ("parameters", "macs", "latency_ms")
    assert len(parameters.points) == 8 and parameters.caption.startswith("All students have the same size")
    teacher = next(point for point in parameters.points if point.group == "teacher")
    assert (teacher.cost, teacher.percent, teacher.front) == (1404682, 98.0, False)
    assert [point.group for point in parameters.points if point.front] == ["chosen"]


def test_a_tip_says_what_it_is_and_n(full):
    best = next(point for point in of(full)[0].points if point.group == "chosen")
    assert best.tip.splitlines()[0].startswith("explore, alpha ") and "(n = 3)" in best.tip
    assert "1,238,730 parameters" in best.tip


def test_latency_has_a_title_that_fits_and_says_below_how_it_was_timed(full):
    latency = of(full)[2]
    assert latency.name == "latency of one image (ms)" and latency.caption.endswith("of the machine that trained.")
    assert any(line.endswith(" ms") for line in latency.points[0].tip.splitlines())


def test_nothing_begun_shows_the_teacher(empty):
    assert [point.group for point in of(empty().folder)[0].points] == ["teacher"]
