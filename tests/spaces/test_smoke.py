"""A space made small: everything that it does still happens, once."""

from __future__ import annotations

from collections.abc import Callable

from spaces.space import Space

Build = Callable[[str], Space]


def test_a_space_without_a_teacher_is_shrunk(space: Build) -> None:
    text = "teacher: null\nstudent: {model: {name: mlp, hidden: [16]}}\nmethod: {name: none}\n"
    assert space(text).shrink().fill({}, 0).teacher is None


def test_those_behind_a_teacher_are_shrunk_too(space: Build) -> None:
    teacher = "teacher: {method: {name: hinton}, teacher: {train: {epochs: 9}}}"
    small = space(f"{teacher}\nsearch: {{algorithm: grid}}").shrink().fill({}, 0).teacher
    assert small and small.teacher and (small.train.epochs, small.teacher.train.epochs) == (1, 1)
    small = space("teacher: {ensemble: [{train: {epochs: 9}}, {}]}").shrink().fill({}, 0).teacher
    assert small and [member.train.epochs for member in small.members()] == [1, 1]


def test_few_views_are_shown(space: Build) -> None:
    views = "{views: 64, flip: horizontal}"
    text = f"teacher: {{train: {{augment: {views}}}}}\ntrain: {{augment: {{choice: [null, {views}]}}}}\n"
    small = space(f"{text}search: {{algorithm: grid}}").shrink()
    recipes = [small.fill(cell, 0) for cell in small.cells()]
    assert all(each.teacher and each.teacher.train.augment.views == 2 for each in recipes)
    assert [each.train.augment and each.train.augment.views for each in recipes] == [None, 2]


def test_a_small_grid_keeps_every_method(space: Build) -> None:
    text = "method: {choice: [{name: a}, {name: b, k: {choice: [1, 2, 3]}}, {name: c}]}\nsearch: {algorithm: grid}"
    cells = space(text).shrink().cells()
    assert len(cells) == 4
