"""A student with teacher weight 0 is the baseline; the weight is a marked knob of any name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor

from spaces.recipe import Recipe
from trainables.baseline import canonical_recipe, teacher_weight_paths
from trainables.knobs import Fraction, TeacherWeight, marked_knobs
from trainables.methods import METHODS
from trainables.methods.hinton import hinton
from trainables.output import Output

Make = Callable[..., Recipe]


def exponent(student: Output, teacher: Output, labels: Tensor, *, alpha: Fraction) -> Tensor:
    """A user's method, which does not mark its knob."""
    return hinton(student, teacher, labels, alpha=0.5, temperature=2.0) ** (1 + alpha)


def scaled(student: Output, teacher: Output, labels: Tensor, *, weight: TeacherWeight = 0.0) -> Tensor:
    """A user's method with another name for its teacher weight."""
    return hinton(student, teacher, labels, alpha=weight, temperature=2.0)


def doubly_weighted(
    student: Output, teacher: Output, labels: Tensor, *, near: TeacherWeight, far: TeacherWeight
) -> Tensor:
    return hinton(student, teacher, labels, alpha=(near + far) / 2, temperature=2.0)


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    for function in (exponent, scaled, doubly_weighted):
        monkeypatch.setitem(METHODS, function.__name__, function)


@pytest.mark.parametrize("name", sorted(METHODS.keys() - {"none", "contrast"}))
def test_every_method_marks_alpha(name: str) -> None:
    assert marked_knobs(METHODS[name], TeacherWeight) == ("alpha",)


@pytest.mark.parametrize(
    "method",
    [
        {"name": "none"},
        {"name": "hinton", "alpha": 0, "temperature": 4},
        {"name": "hinton", "alpha": 0.0, "temperature": 64},
        {"name": "scaled", "weight": 0},
        {"name": "scaled"},
        {"name": "doubly_weighted", "near": 0, "far": 0},
    ],
)
def test_weight_0_is_the_baseline(recipe: Make, method: dict[str, Any]) -> None:
    student = recipe(None, method, teacher={}, seed=3)
    assert canonical_recipe(student) == student.baseline() == recipe(None, {"name": "none"}, seed=3)
    assert canonical_recipe(student).key() == recipe(None, {"name": "none"}, seed=3).key()


@pytest.mark.parametrize(
    "method",
    [
        {"name": "hinton", "alpha": 0.1, "temperature": 4},
        {"name": "exponent", "alpha": 0},
        {"name": "scaled", "weight": 0.5},
        {"name": "doubly_weighted", "near": 0, "far": 0.5},
        {"name": "contrast", "beta": 0, "temperature": 1},
    ],
)
def test_other_students_stay(recipe: Make, method: dict[str, Any]) -> None:
    student = recipe(None, method, teacher={})
    assert canonical_recipe(student) is student


def test_paths_of_several_methods() -> None:
    methods = ["none", "hinton", "scaled", "doubly_weighted", "fitnets"]
    assert teacher_weight_paths(methods) == ["method.alpha", "method.weight", "method.near", "method.far"]
    assert teacher_weight_paths(["none", "exponent"]) == []


def test_a_name_that_one_method_uses_otherwise_is_no_teacher_weight() -> None:
    """A baseline at `alpha` 0 must not be averaged with a student of another method whose `alpha` is an exponent."""
    assert teacher_weight_paths(["hinton"]) == ["method.alpha"]
    assert teacher_weight_paths(["hinton", "exponent"]) == []
    assert teacher_weight_paths(["exponent", "scaled", "none"]) == ["method.weight"]
