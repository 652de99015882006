from __future__ import annotations

from results.experiment import load_experiment
from results.report.parallel_coordinates import parallel_coordinates


def of(folder):
    data = parallel_coordinates(load_experiment(folder))
    return data and {axis.name: axis for axis in data.axes}


def test_every_student_has_a_position_on_every_axis(mixed):
    axes = of(mixed)
    assert list(axes) == ["hidden", "method", "alpha", "temperature", "batch_size", "epochs", "validation %"]
    assert {len(axis.positions) for axis in axes.values()} == {19}


def test_options_are_evenly_spaced_with_labels(full, mixed):
    axes = of(full)
    assert axes["temperature"].labels == ["1", "4", "16"] and set(axes["temperature"].positions) == {0.0, 1.0, 2.0}
    assert of(mixed)["hidden"].labels == ["[64]", "[400,400]"]
    assert of(mixed)["method"].labels == ["none", "hinton"]  # as in the space, not in order of appearance
    assert of(mixed)["epochs"].labels == ["1", "3", "9"]


def test_a_log_range_has_a_log_axis(mixed):
    temperature = of(mixed)["temperature"]
    assert temperature.labels == ["–", "1", "2.83", "8", "22.6", "64"]
    assert max(temperature.positions) == round(temperature.ticks[-1], 6)


def test_students_without_the_knob_lie_below_its_range(mixed):
    alpha = of(mixed)["alpha"]
    assert alpha.labels[0] == "–" and alpha.positions.count(alpha.ticks[0]) == 4
    assert (
        alpha.ticks[0] < alpha.ticks[1] == min(position for position in alpha.positions if position != alpha.ticks[0])
    )


def test_constant_knobs_and_running_students_are_left_out(running, full):
    assert list(of(full)) == ["alpha", "temperature", "validation %"]
    assert {len(axis.positions) for axis in of(running).values()} == {12}


def test_none_without_students(empty):
    assert of(empty().folder) is None
