from __future__ import annotations

from collections import Counter

import pytest

from results import experiment as experiments
from results.report.learning import GROUPS, learning


def of(folder):
    experiment = experiments.load(folder)
    return learning(experiment, experiments.leaderboard(experiment))


def test_one_curve_per_student_in_its_group(full):
    found = of(full)
    assert Counter(curve.group for curve in found.curves) == {"finished": 15, "baseline": 3, "chosen": 3}
    assert {tuple(curve.epochs) for curve in found.curves} == {(1, 2, 3, 4)}
    assert found.teachers == [98.0] and found.low < found.high <= 100


def test_the_important_curves_are_drawn_last(confirmed):
    order = [GROUPS.index(curve.group) for curve in of(confirmed).curves]
    assert order == sorted(order)


def test_a_stopped_student_is_told_apart_and_lost_ones_are_left_out(broken):
    groups = Counter(curve.group for curve in of(broken).curves)
    assert groups == {"finished": 15, "baseline": 3, "chosen": 3, "stopped": 1}


def test_a_student_at_work_has_its_epochs_so_far(running):
    assert Counter(curve.group for curve in of(running).curves)["running"] == 1  # the other one has no epoch yet


def test_a_label_names_knobs_and_seed(full):
    labels = {curve.label for curve in of(full).curves}
    assert {"alpha 0.5, temperature 4, seed 1", "alpha 0, seed 2"} < labels


@pytest.mark.parametrize(("best", "group"), [(222, "baseline"), (212, "finished")])
def test_the_baseline_of_another_recipe_than_the_chosen_is_an_ordinary_student(mixed, best, group):
    experiment = experiments.load(mixed)
    scores = (experiment.students["train.batch_size"] == best).astype(float)
    experiment = experiment._replace(students=experiment.students.assign(val_accuracy=scores))
    found = learning(experiment, experiments.leaderboard(experiment))
    groups = {curve.label: curve.group for curve in found.curves}
    assert groups["hidden [400,400], alpha 0, batch_size 222, seed 0"] == group


def test_stopped_students_do_not_decide_what_is_in_the_picture(mixed):
    experiment = experiments.load(mixed)
    stopped = experiment.students["trial"][experiment.students["status"] == "stopped"]
    low = experiment.epochs["val_accuracy"].where(~experiment.epochs["trial"].isin(stopped), 0.1)
    found = learning(
        experiment._replace(epochs=experiment.epochs.assign(val_accuracy=low)), experiments.leaderboard(experiment)
    )
    assert found.low > 50


def test_nothing_begun_is_an_empty_picture(empty):
    found = of(empty().folder)
    assert found.curves == [] and (found.low, found.high) == (0.0, 100.0)
