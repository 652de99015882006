"""Students of a grid, limits, and one student per teacher."""

from __future__ import annotations

from time import process_time

import pytest

from search.students.candidates import grid_students, students_per_teacher, within_limit
from spaces.errors import UserError

PLAIN = {"name": "hinton", "alpha": 0.5, "temperature": 4}
WIDTHS = {"model": {"name": "mlp", "hidden": {"choice": [[8], [32]]}}}


def test_a_grid_leaves_out_students_over_the_limit(space, digits):
    large = space(student=WIDTHS)
    small = space(student=WIDTHS, search={"limit": {"parameters": 1000}})
    assert len(grid_students(large, digits)) == 2 * len(grid_students(small, digits)) == 6
    assert {student.values["student.model.hidden"] for student in grid_students(small, digits)} == {"[8]"}


@pytest.mark.parametrize(
    ("limit", "within"), [({}, True), ({"parameters": 610}, True), ({"parameters": 609}, False), ({"macs": 591}, False)]
)
def test_a_limit_is_the_largest_size_allowed(space, digits, limit, within):
    limited = space(search={"limit": limit})
    assert within_limit(limited, limited.fill(limited.cells()[0], 0), digits) is within


def test_one_student_per_teacher(space):
    hidden = {"choice": [[8], [16]]}
    tiny = space(teacher={"model": {"name": "mlp", "hidden": hidden}, "seeds": [0, 1, 2]}, method=PLAIN)
    students = students_per_teacher(tiny)
    assert len({student.recipe.teacher_recipe().key() for student in students}) == len(students) == 2 * 3
    assert {student.values["teacher.model.hidden"] for student in students} == {"[8]", "[16]"}


def test_teachers_may_be_options(space):
    options = [{"model": {"name": "mlp", "hidden": [8]}}, {"model": {"name": "cnn", "padding": "same"}}]
    students = students_per_teacher(space(teacher={"choice": options}, method=PLAIN))
    assert [student.recipe.teacher.model.name for student in students] == ["mlp", "cnn"]


def test_a_large_grid_takes_no_more_time_per_student(space, digits):
    def seconds(n: int) -> float:
        many = space(train={"epochs": 1, "lr": {"choice": [round(1e-4 * place, 4) for place in range(1, n + 1)]}})
        began = process_time()
        assert len(grid_students(many, digits)) >= n
        return (process_time() - began) / n

    assert seconds(1200) < 4 * seconds(100)


def test_a_limit_that_no_student_meets_is_an_error(space, digits):
    message = r"search.limit: no student is within it; a student here has 610 parameters and 592 MACs"
    with pytest.raises(UserError, match=message):
        grid_students(space(search={"limit": {"parameters": 609}}), digits)


def test_an_adaptive_search_has_no_grid(space, digits):
    method = {"name": "hinton", "alpha": {"uniform": [0, 1]}, "temperature": 4}
    assert grid_students(space(search={"algorithm": "random", "trials": 7}, method=method), digits) == []
