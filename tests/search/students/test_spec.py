"""Students of a grid, and those still to be trained."""

from __future__ import annotations

import pytest

from search.students.spec import (
    Pack,
    StudentSpec,
    first_row,
    student_spec,
    students_for_seeds,
    suggested_histories,
    teacher_json,
    unfinished_students,
)

LISTED = {"method.alpha": 0.5, "method.temperature": 4}


def test_a_grid_lists_each_student_once_by_seed_with_baselines_first(space):
    tiny = space(seeds=[3, 1])
    students = students_for_seeds(tiny, tiny.cells(), "explore", tiny.seeds)
    assert [(student.recipe.seed, student.stage) for student in students] == [
        *[(3, "baseline"), (3, "explore"), (3, "explore")],
        *[(1, "baseline"), (1, "explore"), (1, "explore")],
    ]
    assert len({student.key for student in students}) == len(students)
    assert [student.values for student in students[:3]] == [
        {},
        {"method.alpha": 0.5, "method.temperature": 1},
        {"method.alpha": 0.5, "method.temperature": 4},
    ]


@pytest.mark.parametrize("temperature", [1, 4])
def test_alpha_zero_is_the_baseline(space, temperature):
    tiny = space()
    inert = student_spec(tiny, "explore", {"method.alpha": 0, "method.temperature": temperature}, 0, 0)
    baseline = student_spec(tiny, "baseline", LISTED, 0, 0)
    assert inert == baseline
    assert inert.stage == "baseline" and inert.values == {}
    assert inert.recipe.teacher is None and inert.recipe.method.name == "none"


def test_baselines_differ_in_training_and_network_only(space):
    tiny = space(train={"epochs": 3, "lr": {"choice": [0.01, 0.001]}}, seeds=[0])
    students = students_for_seeds(tiny, tiny.cells(), "explore", tiny.seeds)
    assert [student.values for student in students if student.stage == "baseline"] == [
        {"train.lr": 0.01},
        {"train.lr": 0.001},
    ]
    assert len(students) == 2 + 2 * 2


def test_teachers_have_their_own_students_and_share_a_baseline(space):
    teacher = {"model": {"name": "mlp", "hidden": {"choice": [[8], [16]]}}, "train": {"epochs": 2}, "seeds": [0, 7]}
    tiny = space(teacher=teacher, method={"name": "hinton", "alpha": 0.5, "temperature": 4})
    students = students_for_seeds(tiny, tiny.cells(), "explore", tiny.seeds)
    assert [student.stage for student in students].count("baseline") == 1
    explored = [student for student in students if student.stage == "explore"]
    assert len(explored) == 4
    assert len({teacher_json(student.recipe) for student in explored}) == 4
    assert sorted(first_row(student)["teacher_seed"] for student in explored) == [0, 0, 7, 7]
    assert first_row(students[0])["teacher_seed"] == 0


def test_method_none_is_a_baseline_in_any_stage(space):
    tiny = space(method={"choice": [{"name": "none"}, {"name": "hinton", "alpha": 0.5, "temperature": 4}]})
    students = students_for_seeds(tiny, tiny.cells(), "explore", tiny.seeds)
    assert [(student.stage, student.values) for student in students] == [
        ("baseline", {}),
        ("explore", {"method": "hinton"}),
    ]


def test_the_key_depends_on_the_recipe_and_not_on_the_stage(space):
    tiny = space()
    assert student_spec(tiny, "explore", LISTED, 5, 0).key == student_spec(tiny, "confirm", LISTED, 5, 0).key
    assert student_spec(tiny, "explore", LISTED, 5, 0).key != student_spec(tiny, "explore", LISTED, 6, 0).key
    student = student_spec(tiny, "explore", LISTED, 5, 0)
    assert str(student) == repr(student) == student.key == str(Pack((student, student))) == repr(Pack((student,)))
    assert student.key is student.key  # computed once: it is read at each report


def test_the_first_row_survives_json(space, trained, folder):
    from results.students import history

    proposals = student_spec(space(), "explore", LISTED, 5, 0)
    trained(proposals, [], None)
    past = history(folder, proposals.key)
    assert past is not None
    assert {name: past.start[name] for name in first_row(proposals)} == first_row(proposals)


@pytest.mark.parametrize(
    ("status", "again"),
    [("finished", False), ("diverged", False), ("failed", True), ("stopped", True), (None, True)],
)
def test_finished_and_diverged_students_are_not_trained_again(space, trained, folder, status, again):
    tiny = space()
    trained_student = trained(student_spec(tiny, "explore", LISTED, 0, 0), [0.1, 0.2], status)
    new_student = student_spec(tiny, "explore", LISTED, 1, 0)
    assert unfinished_students(folder, [trained_student, new_student]) == ([trained_student] if again else []) + [
        new_student
    ]


def test_proposed_students_are_listed_in_order_of_their_start(space, trained, folder):
    tiny = space()
    proposals = []
    for seed in (4, 2, 9):
        student = student_spec(tiny, "explore", LISTED, seed, 0)
        proposals.append(trained(StudentSpec(student.stage, student.recipe, student.values, suggested=LISTED), [0.5]))
    trained(student_spec(tiny, "confirm", LISTED, 1, 0), [0.5])
    assert [past.start["trial"] for past in suggested_histories(folder)] == [student.key for student in proposals]
