from __future__ import annotations

import pytest

from results.experiment import load_experiment
from results.report import student_points as module
from results.report.student_points import student_points


def of(folder):
    data = student_points(load_experiment(folder))
    return data and {axis.name: axis for axis in data.axes}


def test_every_student_has_a_position_on_every_axis(mixed):
    axes = of(mixed)
    assert list(axes) == ["hidden", "method", "alpha", "temperature", "batch_size", "epochs"]
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
    assert list(of(full)) == ["alpha", "temperature"]
    assert {len(axis.positions) for axis in of(running).values()} == {12}


def test_none_without_students(empty):
    assert of(empty().folder) is None


def test_history_is_in_the_order_of_the_ends(confirmed):
    points = student_points(load_experiment(confirmed))
    assert points.order == list(range(1, 16))
    finished = [score for score, status in zip(points.percent, points.statuses, strict=True) if status == "finished"]
    assert points.best[0] is None and points.best[-1] == max(finished)  # the first student was stopped
    assert points.best[1:] == sorted(points.best[1:])
    assert points.baseline == pytest.approx(94.0, abs=0.3) and points.labels[-1] == "alpha 0.5, temperature 16, seed 12"


def test_of_many_students_the_best_and_a_selection_are_shown(full, monkeypatch):
    everyone = student_points(load_experiment(full))
    monkeypatch.setattr(module, "MAX_POINTS", 6)
    points = student_points(load_experiment(full))
    assert len(points.percent) == len(points.axes[0].positions) == 6 and max(points.percent) == max(everyone.percent)
    assert points.note.startswith("6 of 18 are shown")
