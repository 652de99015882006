"""A shrunk space runs every step once."""

from __future__ import annotations

from collections.abc import Callable

from spaces.space import Space

Build = Callable[[str], Space]


def test_no_teacher(space: Build) -> None:
    text = "teacher: null\nstudent: {model: {name: mlp, hidden: [16]}}\nmethod: {name: none}\n"
    assert space(text).shrink().fill({}, 0).teacher is None


def test_assistant_and_ensemble(space: Build) -> None:
    teacher = "teacher: {method: {name: hinton}, teacher: {train: {epochs: 9}}}"
    small = space(f"{teacher}\nsearch: {{algorithm: grid}}").shrink().fill({}, 0).teacher
    assert small and small.teacher and (small.train.epochs, small.teacher.train.epochs) == (1, 1)
    small = space("teacher: {ensemble: [{train: {epochs: 9}}, {}]}").shrink().fill({}, 0).teacher
    assert small and [member.train.epochs for member in small.members()] == [1, 1]


def test_views(space: Build) -> None:
    views = "{views: 64, flip: horizontal}"
    text = f"teacher: {{train: {{augment: {views}}}}}\ntrain: {{augment: {{choice: [null, {views}]}}}}\n"
    small = space(f"{text}search: {{algorithm: grid}}").shrink()
    recipes = [small.fill(cell, 0) for cell in small.cells()]
    assert all(recipe.teacher and recipe.teacher.train.augment.views == 2 for recipe in recipes)
    assert [recipe.train.augment and recipe.train.augment.views for recipe in recipes] == [None, 2]


def test_every_method_is_kept(space: Build) -> None:
    text = "method: {choice: [{name: a}, {name: b, k: {choice: [1, 2, 3]}}, {name: c}]}\nsearch: {algorithm: grid}"
    cells = space(text).shrink().cells()
    assert len(cells) == 4
