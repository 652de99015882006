from __future__ import annotations

from results import experiment as experiments
from results.report.parallel import parallel


def of(folder):
    found = parallel(experiments.load(folder))
    return found and {axis.name: axis for axis in found.axes}


def test_every_student_has_a_place_on_every_axis(mixed):
    axes = of(mixed)
    assert list(axes) == ["hidden", "method", "alpha", "temperature", "batch_size", "epochs", "validation %"]
    assert {len(axis.positions) for axis in axes.values()} == {19}


def test_options_are_steps_with_their_names(full, mixed):
    axes = of(full)
    assert axes["temperature"].labels == ["1", "4", "16"] and set(axes["temperature"].positions) == {0.0, 1.0, 2.0}
    assert of(mixed)["hidden"].labels == ["[64]", "[400,400]"]
    assert of(mixed)["method"].labels == ["none", "hinton"]  # as in the space, not as they came
    assert of(mixed)["epochs"].labels == ["1", "3", "9"]


def test_a_range_is_logarithmic_where_it_was_searched_so(mixed):
    temperature = of(mixed)["temperature"]
    assert temperature.labels == ["–", "1", "2.83", "8", "22.6", "64"]
    assert max(temperature.positions) == round(temperature.ticks[-1], 6)


def test_students_without_a_knob_lie_below_its_range(mixed):
    alpha = of(mixed)["alpha"]
    assert alpha.labels[0] == "–" and alpha.positions.count(alpha.ticks[0]) == 4
    assert alpha.ticks[0] < alpha.ticks[1] == min(place for place in alpha.positions if place != alpha.ticks[0])


def test_knobs_that_never_vary_and_students_still_at_work_are_left_out(running, full):
    assert list(of(full)) == ["alpha", "temperature", "validation %"]
    assert {len(axis.positions) for axis in of(running).values()} == {12}


def test_with_nothing_to_compare_there_is_none(empty):
    assert of(empty().folder) is None
