from __future__ import annotations

from collections import Counter

import pytest

from results.experiment import load_experiment
from results.figures.learning_curves import GROUPS, configuration_curves, student_curves


def curves_of(folder):
    experiment = load_experiment(folder)
    return student_curves(experiment, experiment.leaderboard())


def means_of(folder):
    experiment = load_experiment(folder)
    return configuration_curves(experiment, experiment.leaderboard())


def test_one_curve_per_student_in_its_group(full):
    data = curves_of(full)
    assert Counter(curve.group for curve in data.curves) == {"finished": 15, "baseline": 3, "chosen": 3}
    assert {tuple(curve.epochs) for curve in data.curves} == {(1, 2, 3, 4)}
    assert data.teachers == [98.0] and data.low < data.high <= 100


def test_highlighted_curves_are_drawn_last(confirmed):
    order = [GROUPS.index(curve.group) for curve in curves_of(confirmed).curves]
    assert order == sorted(order)


def test_stopped_students_are_a_group_and_failed_ones_are_left_out(broken):
    groups = Counter(curve.group for curve in curves_of(broken).curves)
    assert groups == {"finished": 15, "baseline": 3, "chosen": 3, "stopped": 1}


def test_a_running_student_has_its_epochs_so_far(running):
    # the other running student has no epoch yet
    assert Counter(curve.group for curve in curves_of(running).curves)["running"] == 1


def test_a_label_names_knobs_and_seed(full):
    labels = {curve.label for curve in curves_of(full).curves}
    assert {"alpha 0.5, temperature 4, seed 1", "alpha 0, seed 2"} < labels


@pytest.mark.parametrize(("best", "group"), [(222, "baseline"), (212, "finished")])
def test_only_the_baseline_of_the_chosen_recipe_is_highlighted(mixed, best, group):
    experiment = load_experiment(mixed)
    scores = (experiment.students["train.batch_size"] == best).astype(float)
    experiment = experiment._replace(students=experiment.students.assign(val_accuracy=scores))
    data = student_curves(experiment, experiment.leaderboard())
    groups = {curve.label: curve.group for curve in data.curves}
    assert groups["hidden [400,400], alpha 0, batch_size 222, seed 0"] == group


def test_stopped_students_do_not_set_the_axis_limits(mixed):
    experiment = load_experiment(mixed)
    stopped = experiment.students["trial"][experiment.students["status"] == "stopped"]
    low = experiment.epochs["val_accuracy"].where(~experiment.epochs["trial"].isin(stopped), 0.1)
    experiment = experiment._replace(epochs=experiment.epochs.assign(val_accuracy=low))
    assert student_curves(experiment, experiment.leaderboard()).low > 50


def test_configuration_curves_are_means_over_seeds(full):
    data = means_of(full)
    groups = Counter(curve.group for curve in data.curves)
    assert groups == {"configuration": 7, "baseline": 1, "chosen": 1}
    best = data.curves[-1]
    line = load_experiment(full).leaderboard().iloc[0]
    assert best.epochs == [1, 2, 3, 4] and best.percent[-1] == pytest.approx(100 * line["val_accuracy"])
    assert best.label.startswith("best: alpha ") and "temperature" in best.label


def test_a_mean_ends_with_its_shortest_seed(build):
    builder = build(seeds=(0,))
    builder.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 1, "stopped", epochs=2)
    curves = means_of(builder.folder).curves
    assert sorted(len(curve.epochs) for curve in curves if curve.group == "configuration") == [2, 4, 4, 4, 4, 4, 4]


@pytest.mark.parametrize("curves", [curves_of, means_of])
def test_no_curves_before_the_first_student(empty, curves):
    data = curves(empty().folder)
    assert data.curves == [] and (data.low, data.high) == (0.0, 100.0)
