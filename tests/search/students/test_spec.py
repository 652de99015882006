"""Which students a grid wants, each once, and which of them are still to be trained."""

from __future__ import annotations

import pytest

from search.students.spec import (
    StudentSpec,
    first_row,
    student_spec,
    students_for_seeds,
    suggested_histories,
    teacher_json,
    unfinished_students,
)

LISTED = {"method.alpha": 0.5, "method.temperature": 4}


def test_a_grid_lists_each_student_once_whole_seeds_first_and_baselines_first(space):
    tiny = space(seeds=[3, 1])
    found = students_for_seeds(tiny, tiny.cells(), "explore", tiny.seeds)
    assert [(each.recipe.seed, each.stage) for each in found] == [
        *[(3, "baseline"), (3, "explore"), (3, "explore")],
        *[(1, "baseline"), (1, "explore"), (1, "explore")],
    ]
    assert len({each.key for each in found}) == len(found)
    assert [each.values for each in found[:3]] == [
        {},
        {"method.alpha": 0.5, "method.temperature": 1},
        {"method.alpha": 0.5, "method.temperature": 4},
    ]


@pytest.mark.parametrize("temperature", [1, 4])
def test_alpha_zero_is_the_baseline(space, temperature):
    tiny = space()
    inert = student_spec(tiny, "explore", {"method.alpha": 0, "method.temperature": temperature}, 0, 0)
    asked = student_spec(tiny, "baseline", LISTED, 0, 0)
    assert inert == asked
    assert inert.stage == "baseline" and inert.values == {}
    assert inert.recipe.teacher is None and inert.recipe.method.name == "none"


def test_baselines_differ_in_what_is_not_about_the_method(space):
    tiny = space(train={"epochs": 3, "lr": {"choice": [0.01, 0.001]}}, seeds=[0])
    found = students_for_seeds(tiny, tiny.cells(), "explore", tiny.seeds)
    assert [each.values for each in found if each.stage == "baseline"] == [{"train.lr": 0.01}, {"train.lr": 0.001}]
    assert len(found) == 2 + 2 * 2


def test_every_teacher_has_its_own_pupils_but_they_share_a_baseline(space):
    teacher = {"model": {"name": "mlp", "hidden": {"choice": [[8], [16]]}}, "train": {"epochs": 2}, "seeds": [0, 7]}
    tiny = space(teacher=teacher, method={"name": "hinton", "alpha": 0.5, "temperature": 4})
    found = students_for_seeds(tiny, tiny.cells(), "explore", tiny.seeds)
    assert [each.stage for each in found].count("baseline") == 1
    pupils = [each for each in found if each.stage == "explore"]
    assert len(pupils) == 4
    assert len({teacher_json(each.recipe) for each in pupils}) == 4
    assert sorted(first_row(each)["teacher_seed"] for each in pupils) == [0, 0, 7, 7]
    assert first_row(found[0])["teacher_seed"] == 0


def test_a_method_that_is_none_is_a_baseline_whatever_asked_for_it(space):
    tiny = space(method={"choice": [{"name": "none"}, {"name": "hinton", "alpha": 0.5, "temperature": 4}]})
    found = students_for_seeds(tiny, tiny.cells(), "explore", tiny.seeds)
    assert [(each.stage, each.values) for each in found] == [("baseline", {}), ("explore", {"method": "hinton"})]


def test_equal_recipes_are_one_folder_and_a_stage_is_no_part_of_them(space):
    tiny = space()
    assert student_spec(tiny, "explore", LISTED, 5, 0).key == student_spec(tiny, "confirm", LISTED, 5, 0).key
    assert student_spec(tiny, "explore", LISTED, 5, 0).key != student_spec(tiny, "explore", LISTED, 6, 0).key
    assert str(student_spec(tiny, "explore", LISTED, 5, 0)) == student_spec(tiny, "explore", LISTED, 5, 0).key


def test_an_opening_survives_json(space, trained, folder):
    from results.students import history

    made = student_spec(space(), "explore", LISTED, 5, 0)
    trained(made, [], None)
    past = history(folder, made.key)
    assert past is not None
    assert {name: past.start[name] for name in first_row(made)} == first_row(made)


@pytest.mark.parametrize(
    ("status", "again"),
    [("finished", False), ("diverged", False), ("failed", True), ("stopped", True), (None, True)],
)
def test_what_is_done_is_not_done_again(space, trained, folder, status, again):
    tiny = space()
    known = trained(student_spec(tiny, "explore", LISTED, 0, 0), [0.1, 0.2], status)
    new = student_spec(tiny, "explore", LISTED, 1, 0)
    assert unfinished_students(folder, [known, new]) == ([known] if again else []) + [new]


def test_only_suggested_students_are_remembered_in_the_order_in_which_they_began(space, trained, folder):
    tiny = space()
    made = []
    for seed in (4, 2, 9):
        one = student_spec(tiny, "explore", LISTED, seed, 0)
        made.append(trained(StudentSpec(one.stage, one.recipe, one.values, suggested=LISTED), [0.5]))
    trained(student_spec(tiny, "confirm", LISTED, 1, 0), [0.5])
    assert [past.start["trial"] for past in suggested_histories(folder)] == [each.key for each in made]
