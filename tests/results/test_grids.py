from __future__ import annotations

import itertools

import numpy
import pandas
import pytest

import results
from results import contrasts, grids, ties
from results.experiment import load_experiment
from results.figures.heatmaps import heatmaps
from spaces.errors import UserError

ALPHA, HEAT = "method.alpha", "method.temperature"


def table(folder, **how) -> grids.Grid:
    return grids.make_grid(results.read(folder), x=HEAT, y=ALPHA, **how)


def test_cells_are_means_over_seeds(full):
    grid, students = table(full), results.read(full)
    assert (grid.row_labels, grid.column_labels) == ([0, 0.5, 1], [1, 4, 16])
    assert grid.n.tolist() == [[3] * 3] * 3
    for (row, alpha), (column, heat) in itertools.product(enumerate([0.5, 1], 1), enumerate([1, 4, 16])):
        cell = students[(students[ALPHA] == alpha) & (students[HEAT] == heat)]
        assert grid.mean[row, column] == pytest.approx(cell["test_accuracy"].mean())
        assert grid.std[row, column] == pytest.approx(numpy.std(cell["test_accuracy"], ddof=1))
        assert grid.val_mean[row, column] == pytest.approx(cell["val_accuracy"].mean())


def test_the_row_alpha_0_is_the_baseline_in_every_column(full):
    grid = table(full)
    baseline = results.read(full).query("stage == 'baseline'")["test_accuracy"].mean()
    assert grid.mean[0].tolist() == pytest.approx([baseline] * 3)
    assert grid.is_baseline.tolist() == [[True] * 3, [False] * 3, [False] * 3]


def test_the_best_cell_is_chosen_by_validation(full):
    grid = table(full)
    assert grid.is_best.sum() == 1
    assert grid.val_mean[grid.is_best] == grid.val_mean.max()


def test_ties_are_the_cells_the_luck_of_the_seeds_explains(build):
    grid = table(build(noise=0.0001).folder)
    assert (grid.is_tied == (grid.mean == grid.mean.max())).all()
    grid = table(build(noise=0.5).folder)
    assert grid.is_tied.sum() >= 5


def test_ties_are_with_the_highest_mean_and_not_with_the_cell_that_validation_chose(empty):
    built = empty()
    for heat, seed in itertools.product((1, 4, 16), (0, 1, 2)):
        trial = built.student("explore", {ALPHA: 0.5, HEAT: heat}, seed)
        if heat == 1:  # the lowest on test
            built.epoch(trial, 5, 0.99)
            built.row(trial, kind="end", status="finished", reason=None, test_accuracy=0.5 + seed / 1000)
    for seed in (0, 1, 2):
        built.student("baseline", {}, seed)
    grid = table(built.folder)
    assert grids.best_labels(grid) == (0.5, 1)
    assert grid.is_tied[grid.mean == grid.mean.max()].all() and not grid.is_tied[grid.is_best].any()


def test_effects_leave_the_baseline_out_and_have_its_freedom(full):
    effects = {effect.name: effect for effect in grids.grid_effects(table(full))}
    assert [(e.freedom, e.residual_freedom) for e in effects.values()] == [(1, 10), (2, 10), (2, 10)]
    assert effects["columns"].detected and not effects["interaction"].detected


def test_one_seed_tells_nothing_apart(single):
    grid = table(single)
    assert numpy.isnan(grid.std).all() and not grid.is_tied.any() and grid.is_best.sum() == 1
    assert grids.grid_effects(grid) == []


def test_cells_without_all_seeds_are_not_the_best(build):
    built = build()
    built.student("explore", {ALPHA: 0.5, HEAT: 1}, 3)
    grid = table(built.folder)
    assert grids.best_labels(grid) == (0.5, 1)
    assert grid.n[1].tolist() == [4, 3, 3]


def test_confirmed_students_do_not_enter_the_cells(confirmed):
    grid = table(confirmed)
    assert (grid.row_labels, grid.column_labels) == ([0, 0.2, 0.5, 1], [4, 16])
    assert grid.n.tolist() == [[1, 1]] * 4


def test_a_running_table_has_holes(running):
    grid = table(running)
    assert grid.n.tolist() == [[2] * 3] * 3
    assert set(grid.students["status"]) == {"finished"}


def test_no_finished_student_is_an_empty_table(empty):
    grid = table(empty().folder)
    assert grid.n.size == 0 and grids.grid_effects(grid) == []


def test_other_knobs_are_held_at_the_best_configuration(empty):
    built = empty()
    for lr, alpha, heat, seed in itertools.product((0.1, 0.2), (0.5, 1), (1, 4), (0, 1)):
        values = {ALPHA: alpha, HEAT: heat + (100 if lr == 0.2 else 0), "train.lr": lr}
        built.student("explore", values, seed)
    grid = table(built.folder)
    assert grid.fixed == {"train.lr": 0.2}
    assert grid.column_labels == [101, 104]


def test_varied_teachers_are_blocks_of_their_own(empty):
    built = empty()
    for teacher, seed, alpha, heat in itertools.product((0, 1), (0, 1), (0.5, 1), (1, 4)):
        built.student("explore", {ALPHA: alpha, HEAT: heat}, seed, teacher_seed=teacher)
    for seed in (0, 1):
        built.student("baseline", {}, seed)
    grid = table(built.folder)
    assert grid.n.tolist() == [[2, 2], [4, 4], [4, 4]]
    assert len(set(ties.seed_blocks(grid.students))) == 4
    assert grids.grid_effects(grid)[0].residual_freedom == 9


def test_a_better_baseline_is_the_best_cell_of_its_row(empty):
    built = empty()
    for seed in (0, 1, 2):
        built.student("baseline", {}, seed)
        for heat in (1, 4):
            built.student("explore", {ALPHA: 0.5, HEAT: heat}, seed, epochs=1)
    grid = table(built.folder)
    assert grid.is_best.tolist() == [[True, True], [False, False]]


def test_a_knob_that_is_none_is_a_clear_error(full):
    with pytest.raises(UserError, match=r"method\.temprature: not a knob.*did you mean method\.temperature"):
        grids.make_grid(results.read(full), x="method.temprature", y=ALPHA)


def test_labels_are_numbers_by_size_then_words():
    values = pandas.Series(["mlp", 4, 0.5, "cnn", 4, None, 1], dtype=object)
    assert grids.sorted_labels(values) == [0.5, 1, 4, "mlp", "cnn"]
    assert grids.sorted_labels(values, ["vit", 4, 1, "cnn", 0.5]) == [0.5, 1, 4, "cnn", "mlp"]


def test_texts_are_in_the_order_of_the_space(tmp_path, synthetic):
    text = synthetic.space(alphas=(1, 0.5), rest=f"table: {{rows: {ALPHA}, columns: train.schedule}}\n")
    schedule = "schedule: {choice: [linear, constant, cosine]}"
    build = synthetic.Build(tmp_path, text.replace("lr: 0.001", schedule))
    for schedule, alpha in itertools.product(("cosine", "linear", "constant"), (1, 0.5)):
        build.student("explore", {ALPHA: alpha, HEAT: 4, "train.schedule": schedule}, 0)
    experiment = load_experiment(build.done())
    grid = experiment.grid()
    assert grid is not None and grid.row_labels == [0.5, 1]
    assert grid.column_labels == ["linear", "constant", "cosine"]
    assert {tuple(shown.column_labels) for shown in heatmaps(experiment)} == {("linear", "constant", "cosine")}


def test_ties_agree_with_the_statistics(full):
    grid = table(full)
    members = grid.students
    names = list(ties.cell_names(members, (ALPHA, HEAT)))
    row, column = numpy.argwhere(grid.mean == grid.mean.max())[0]
    highest = (grid.row_labels[row], grid.column_labels[column])
    p = contrasts.p_below_best(list(members["test_accuracy"]), names, ties.seed_blocks(members), highest)
    expected = {highest, *(name for name, chance in p.items() if chance >= 0.05)}
    marked = {(grid.row_labels[i], grid.column_labels[j]) for i, j in numpy.argwhere(grid.is_tied)}
    assert marked == expected
