from __future__ import annotations

import itertools

import numpy
import pandas
import pytest

import results
from results import grids, stats
from spaces.errors import UserError

ALPHA, HEAT = "method.alpha", "method.temperature"


def table(folder, **how) -> grids.Grid:
    return grids.make_grid(results.read(folder), x=HEAT, y=ALPHA, **how)


def test_cells_are_means_over_seeds(full):
    found, students = table(full), results.read(full)
    assert (found.row_labels, found.column_labels) == ([0, 0.5, 1], [1, 4, 16])
    assert found.n.tolist() == [[3] * 3] * 3
    for (row, alpha), (column, heat) in itertools.product(enumerate([0.5, 1], 1), enumerate([1, 4, 16])):
        cell = students[(students[ALPHA] == alpha) & (students[HEAT] == heat)]
        assert found.mean[row, column] == pytest.approx(cell["test_accuracy"].mean())
        assert found.std[row, column] == pytest.approx(numpy.std(cell["test_accuracy"], ddof=1))
        assert found.val_mean[row, column] == pytest.approx(cell["val_accuracy"].mean())


def test_the_row_alpha_0_is_the_baseline_in_every_column(full):
    found = table(full)
    baseline = results.read(full).query("stage == 'baseline'")["test_accuracy"].mean()
    assert found.mean[0].tolist() == pytest.approx([baseline] * 3)
    assert found.is_baseline.tolist() == [[True] * 3, [False] * 3, [False] * 3]


def test_the_best_cell_is_chosen_by_validation(full):
    found = table(full)
    assert found.is_best.sum() == 1
    assert found.val_mean[found.is_best] == found.val_mean.max()


def test_ties_are_the_cells_the_luck_of_the_seeds_explains(build):
    found = table(build(noise=0.0001).folder)
    assert (found.is_tied == (found.mean == found.mean.max())).all()
    found = table(build(noise=0.5).folder)
    assert found.is_tied.sum() >= 5


def test_ties_are_with_the_highest_mean_and_not_with_the_cell_that_validation_chose(empty):
    made = empty()
    for heat, seed in itertools.product((1, 4, 16), (0, 1, 2)):
        trial = made.student("explore", {ALPHA: 0.5, HEAT: heat}, seed)
        if heat == 1:  # the lowest on test
            made.epoch(trial, 5, 0.99)
            made.row(trial, kind="end", status="finished", reason=None, test_accuracy=0.5 + seed / 1000)
    for seed in (0, 1, 2):
        made.student("baseline", {}, seed)
    found = table(made.folder)
    assert grids.best_labels(found) == (0.5, 1)
    assert found.is_tied[found.mean == found.mean.max()].all() and not found.is_tied[found.is_best].any()


def test_effects_leave_the_baseline_out_and_have_its_freedom(full):
    found = {effect.name: effect for effect in grids.grid_effects(table(full))}
    assert [(e.freedom, e.residual_freedom) for e in found.values()] == [(1, 10), (2, 10), (2, 10)]
    assert found["columns"].detected and not found["interaction"].detected


def test_the_gain_is_paired_over_seeds(full):
    students = results.read(full)
    found = table(full)
    gain = grids.gain_over_baseline(found, students)
    assert gain is not None and (gain.n, gain.freedom) == (3, 12)
    assert 0.015 < gain.low < gain.mean < gain.high < 0.03
    assert gain.mean == pytest.approx(found.mean[found.is_best][0] - found.mean[0, 0])


def test_one_seed_tells_nothing_apart(single):
    found = table(single)
    assert numpy.isnan(found.std).all() and not found.is_tied.any() and found.is_best.sum() == 1
    assert grids.grid_effects(found) == []
    gain = grids.gain_over_baseline(found, results.read(single))
    assert gain is not None and (gain.n, gain.freedom) == (1, 0) and numpy.isnan(gain.low)


def test_cells_without_all_seeds_are_not_the_best(build):
    made = build()
    made.student("explore", {ALPHA: 0.5, HEAT: 1}, 3)
    found = table(made.folder)
    assert grids.best_labels(found) == (0.5, 1)
    assert found.n[1].tolist() == [4, 3, 3]


def test_confirmed_students_do_not_enter_the_cells(confirmed):
    found = table(confirmed)
    assert (found.row_labels, found.column_labels) == ([0, 0.2, 0.5, 1], [4, 16])
    assert found.n.tolist() == [[1, 1]] * 4


def test_a_running_table_has_holes(running):
    found = table(running)
    assert found.n.tolist() == [[2] * 3] * 3
    assert set(found.students["status"]) == {"finished"}


def test_no_finished_student_is_an_empty_table(empty):
    found = table(empty().folder)
    assert found.n.size == 0 and grids.grid_effects(found) == []
    assert grids.gain_over_baseline(found, results.read(empty().folder)) is None


def test_other_knobs_are_held_at_the_best_configuration(empty):
    made = empty()
    for lr, alpha, heat, seed in itertools.product((0.1, 0.2), (0.5, 1), (1, 4), (0, 1)):
        values = {ALPHA: alpha, HEAT: heat + (100 if lr == 0.2 else 0), "train.lr": lr}
        made.student("explore", values, seed)
    found = table(made.folder)
    assert found.fixed == {"train.lr": 0.2}
    assert found.column_labels == [101, 104]


def test_varied_teachers_are_blocks_of_their_own(empty):
    made = empty()
    for teacher, seed, alpha, heat in itertools.product((0, 1), (0, 1), (0.5, 1), (1, 4)):
        made.student("explore", {ALPHA: alpha, HEAT: heat}, seed, teacher_seed=teacher)
    for seed in (0, 1):
        made.student("baseline", {}, seed)
    found = table(made.folder)
    assert found.n.tolist() == [[2, 2], [4, 4], [4, 4]]
    assert len(set(grids.seed_blocks(found.students))) == 4
    assert grids.grid_effects(found)[0].residual_freedom == 9
    gain = grids.gain_over_baseline(found, results.read(made.folder))
    assert gain is not None and (gain.n, gain.freedom) == (2, 4)
    assert gain.mean == pytest.approx(found.mean[found.is_best][0] - found.mean[0, 0])


def test_the_baseline_of_a_table_without_alpha_is_a_cell_too(empty):
    made = empty()
    for rate, heat, seed in itertools.product((0.1, 0.2), (1, 4), (0, 1, 2)):
        made.student("explore", {"train.lr": rate, HEAT: heat}, seed)
    for rate, seed in itertools.product((0.1, 0.2), (0, 1, 2)):
        made.student("baseline", {"train.lr": rate}, seed)
    students = results.read(made.folder)
    found = grids.make_grid(students, x=HEAT, y="train.lr")
    gain = grids.gain_over_baseline(found, students)
    assert not found.is_baseline.any() and gain is not None and (gain.n, gain.freedom) == (3, 8)


def test_a_better_baseline_is_the_best_cell_of_its_row(empty):
    made = empty()
    for seed in (0, 1, 2):
        made.student("baseline", {}, seed)
        for heat in (1, 4):
            made.student("explore", {ALPHA: 0.5, HEAT: heat}, seed, epochs=1)
    found = table(made.folder)
    assert found.is_best.tolist() == [[True, True], [False, False]]
    assert grids.gain_over_baseline(found, results.read(made.folder)) is None


def test_a_knob_that_is_none_is_a_clear_error(full):
    with pytest.raises(UserError, match=r"method\.temprature: not a knob.*did you mean method\.temperature"):
        grids.make_grid(results.read(full), x="method.temprature", y=ALPHA)


def test_labels_are_numbers_by_size_then_words():
    values = pandas.Series(["mlp", 4, 0.5, "cnn", 4, None, 1], dtype=object)
    assert grids.sorted_labels(values) == [0.5, 1, 4, "mlp", "cnn"]


def test_ties_agree_with_the_statistics(full):
    found = table(full)
    members = found.students
    names = list(grids.treatments(members, (ALPHA, HEAT)))
    row, column = numpy.argwhere(found.mean == found.mean.max())[0]
    highest = (found.row_labels[row], found.column_labels[column])
    p = stats.p_below_best(list(members["test_accuracy"]), names, grids.seed_blocks(members), highest)
    expected = {highest, *(name for name, chance in p.items() if chance >= 0.05)}
    marked = {(found.row_labels[i], found.column_labels[j]) for i, j in numpy.argwhere(found.is_tied)}
    assert marked == expected
