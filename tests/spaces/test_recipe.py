"""Recipes: keys, baselines, and recipes of teachers."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from spaces.recipe import Recipe
from spaces.training import Train


def recipe(**parts: Any) -> Recipe:
    return Recipe.model_validate(parts)


def test_defaults() -> None:
    assert recipe().student.model.knobs == {"hidden": [784, 784]}
    assert recipe().teacher is not None
    assert (recipe().method.name, recipe().data.name, recipe().train.epochs) == ("hinton", "mnist", 12)
    with pytest.raises(ValidationError):
        recipe().seed = 3  # type: ignore[misc]


def test_equal_content_has_an_equal_key() -> None:
    first = recipe(method={"name": "hinton", "alpha": 1, "temperature": 4.0}, train={"lr": 1})
    second = recipe(train={"lr": 1.0}, method={"temperature": 4, "alpha": 1.0, "name": "hinton"})
    assert first.key() == second.key()
    assert len(first.key()) == 16
    assert int(first.key(), 16) >= 0
    assert pickle.loads(pickle.dumps(first)).key() == first.key()
    assert Recipe.model_validate(first.model_dump()).key() == first.key()


@pytest.mark.parametrize(
    "parts",
    [{"seed": 1}, {"train": {"lr": 0.002}}, {"method": {"alpha": True}}, {"teacher": {"seed": 1}}, {"data": {"x": 1}}],
)
def test_key_changes_with_content(parts: dict[str, Any]) -> None:
    assert recipe(**parts).key() != recipe().key()
    assert recipe(method={"alpha": 1}).key() != recipe(method={"alpha": True}).key()


def test_baseline() -> None:
    distilled = recipe(method={"alpha": 0.5, "temperature": 4}, seed=3)
    assert distilled.baseline() == recipe(method={"name": "none"}, teacher=None, seed=3)


def test_subclasses_of_an_assistant() -> None:
    teacher = {"model": {"name": "cnn", "subclasses": 3}}
    own = recipe(teacher={"model": {"name": "mlp"}, "method": {"name": "subclass"}, "teacher": teacher})
    assert own.teacher_recipe().network.subclasses == own.network.subclasses == 3


def test_teacher_recipe() -> None:
    teacher = recipe(teacher={"model": {"name": "cnn"}, "train": {"epochs": 3, "shift": 2}, "seed": 5}).teacher_recipe()
    assert (teacher.student.model.name, teacher.train.epochs, teacher.train.shift) == ("cnn", 3, 2)
    assert (teacher.method.name, teacher.teacher) == ("none", None)
    with pytest.raises(ValueError, match="without a teacher"):
        teacher.teacher_recipe()


def test_seeds_of_teachers_differ_from_those_of_students() -> None:
    seeds = [
        recipe(teacher={"model": {"name": "cnn"}, "seed": seed}, seed=seed).teacher_recipe().seed for seed in range(100)
    ]
    assert len(set(seeds)) == 100 and min(seeds) >= 100  # no student has such a seed
    assert seeds[0] == recipe(teacher={"model": {"name": "cnn"}}, seed=9).teacher_recipe().seed


@pytest.mark.parametrize("values", [{"schedule": "step"}, {"milestones": [3]}, {"schedule": "step", "milestones": []}])
def test_milestones_need_schedule_step(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"schedule: step|milestones"):
        Train.model_validate(values)
    assert Train.model_validate({"schedule": "step", "milestones": [3]}).milestones == [3]


def test_a_label_loss_is_that_of_a_network_without_a_teacher() -> None:
    teacher = {"model": {"name": "cnn"}, "train": {"loss": "mse"}}
    keys = {recipe(teacher=teacher | changes).teacher_recipe().key() for changes in ({}, {"train": {}})}
    assert len(keys) == 2
    with pytest.raises(ValidationError, match="only; the method here is hinton"):
        recipe(train={"loss": "mse"})
    assistant = teacher | {"teacher": {}, "method": {"name": "hinton", "alpha": 0.5, "temperature": 4}}
    with pytest.raises(ValidationError, match="read by method"):
        recipe(teacher=assistant)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"decay": 0.5}, "read by schedule: step only; the schedule here is constant"),
        ({"nesterov": True}, "read by optimizer: sgd only; the optimizer here is adam"),
        ({"optimizer": "sgd", "momentum": 0.0, "nesterov": True}, "expected a momentum above 0"),
        ({"images": 0}, "greater than or equal to 1"),
    ],
)
def test_values_that_nothing_reads_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Train.model_validate(values)
