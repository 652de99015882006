"""Inert knobs are found, with the reason if it is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch.nn.functional import cross_entropy

from search.plan.dummy_teacher import dummy_distillation_data
from search.plan.inert_knobs import BASELINE_AT_ZERO, KnobEffect, knob_effects
from spaces.document import dump_yaml
from spaces.errors import UserError
from spaces.space import Space, load_space
from trainables.data import Dataset
from trainables.methods import METHODS

HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4}
MLP = {"name": "mlp", "hidden": [8]}


@pytest.fixture
def space(tmp_path: Path) -> Callable[..., Space]:
    """Return a function that loads a space with these parts; ranges are allowed."""

    def loaded(**parts: Any) -> Space:
        tree = {"data": {"name": "digits"}, "teacher": {"model": MLP}, "student": {"model": MLP}, "method": HINTON}
        tree |= {"search": {"algorithm": "random", "trials": 2}, "train": {"batch_size": 32}, **parts}
        (tmp_path / "x.yaml").write_text(dump_yaml(tree))
        return load_space(tmp_path / "x.yaml")

    return loaded


def test_a_student_without_knobs_is_tried(space: Callable[..., Space], digits: Dataset) -> None:
    wrong = space(method={**HINTON, "name": "routed"}, search={"algorithm": "grid"})
    with pytest.raises(UserError, match="method: routed cannot train this student: 'students'"):
        list(knob_effects(wrong, digits))


def only(space: Space, data: Dataset) -> KnobEffect:
    (effects,) = knob_effects(space, data)
    return effects


@pytest.mark.parametrize(
    ("part", "knob", "domain"),
    [
        ("train", "lr", {"loguniform": [1e-3, 1e-2]}),
        ("train", "batch_size", {"choice": [32, 64]}),
        ("train", "optimizer", {"choice": ["adam", "sgd"]}),
        ("train", "weight_decay", {"uniform": [0, 0.1]}),
        ("train", "schedule", {"choice": ["constant", "cosine"]}),
        ("train", "warmup", {"int": [0, 2]}),
        ("train", "precision", {"choice": ["float32", "bfloat16"]}),
        ("train", "shift", {"choice": [0, 1]}),
        ("train", "augment", {"choice": [None, {"flip": "horizontal"}]}),
        ("train", "class_weights", {"choice": [None, [1.0] * 9 + [2.0]]}),
        ("train", "omit", {"choice": [{"classes": [3]}, {"classes": [4]}]}),
        ("method", "alpha", {"uniform": [0, 1]}),
        ("method", "temperature", {"loguniform": [1, 64]}),
    ],
)
def test_a_knob_has_an_effect(space, digits: Dataset, part: str, knob: str, domain: Any) -> None:
    base = {"train": {"batch_size": 32}, "method": HINTON}[part]
    effects = only(space(**{part: {**base, knob: domain}}), digits)
    assert (effects.path, effects.effective, effects.reason) == (f"{part}.{knob}", True, "")


@pytest.mark.parametrize("amount", ["crop", "rotate", "shear", "color", "views", "seed"])
def test_each_number_of_a_policy_has_an_effect(space, digits: Dataset, amount: str) -> None:
    integer = amount in ("crop", "views", "seed")
    policy = {"flip": "vertical", amount: {"choice": [1, 2] if integer else [0.2, 0.5]}}
    if amount == "rotate":
        policy["rotate"] = {"choice": [0.0, 20.0]}
    assert only(space(train={"batch_size": 32, "augment": policy}), digits).effective


def test_networks_and_methods_have_an_effect(space, digits: Dataset) -> None:
    student = {"model": {"name": "mlp", "hidden": {"choice": [[8], [16]]}}}
    method = {"choice": [{"name": "none"}, {**HINTON, "temperature": {"uniform": [1, 4]}}]}
    effects = knob_effects(space(student=student, method=method), digits)
    assert [(effect.path, effect.effective) for effect in effects] == [
        ("student.model.hidden", True),
        ("method", True),
        ("method.temperature", True),
    ]


def test_temperature_at_alpha_0_is_explained(space, digits: Dataset) -> None:
    method = {"name": "hinton", "alpha": {"choice": [0, 0.5]}, "temperature": {"choice": [1, 4]}}
    alpha, temperature = knob_effects(space(method=method), digits)
    assert alpha == KnobEffect("method.alpha", True, ("0", "0.5"), "")
    assert temperature == KnobEffect("method.temperature", True, ("1", "4"), BASELINE_AT_ZERO)


def test_an_inert_knob_has_a_reason(space, digits: Dataset) -> None:
    method = {"name": "hinton", "alpha": 0, "temperature": {"choice": [1, 4]}}
    assert only(space(method=method), digits) == KnobEffect("method.temperature", False, ("1", "4"), BASELINE_AT_ZERO)
    late = only(space(train={"batch_size": 32, "max_norm": {"uniform": [100, 200]}}), digits)
    assert not late.effective and "may matter later" in late.reason
    even = only(space(train={"batch_size": 50, "class_weights": {"choice": [None, "balanced"]}}), digits)
    assert even.effective or "balanced over the classes" in even.reason


def test_an_unused_argument_of_a_method_is_inert(space, digits: Dataset, monkeypatch) -> None:
    def careless(student, teacher, labels, *, alpha: float, temperature: float):
        return (1 + alpha) * cross_entropy(student.logits, labels, reduction="none")

    monkeypatch.setitem(METHODS, "careless", careless)
    method = {"name": "careless", "alpha": {"uniform": [0.1, 1]}, "temperature": {"uniform": [1, 4]}}
    alpha, temperature = knob_effects(space(method=method), digits)
    assert alpha.effective
    assert temperature == KnobEffect("method.temperature", False, ("1", "4"), "")


def test_a_failing_method_is_an_error(space, digits: Dataset, monkeypatch) -> None:
    def broken(student, teacher, labels, *, alpha: float, temperature: float):
        raise ValueError("no such thing")

    monkeypatch.setitem(METHODS, "broken", broken)
    method = {"name": "broken", "alpha": {"choice": [0.1, 1]}, "temperature": 4}
    with pytest.raises(UserError, match=r"x\.yaml:\d+: method: broken cannot train this student: no such thing"):
        list(knob_effects(space(method=method), digits))


def test_divergence_is_an_effect(space, digits: Dataset) -> None:
    train = {"batch_size": 32, "optimizer": "sgd", "lr": {"choice": [1e-3, 1e38]}}
    assert only(space(train=train), digits).effective


def test_epochs_data_and_teachers_are_not_tried(space, digits: Dataset) -> None:
    teacher = {"model": {"name": "mlp", "hidden": {"choice": [[8], [16]]}}}
    assert list(knob_effects(space(train={"epochs": {"choice": [1, 2]}}, teacher=teacher), digits)) == []


def test_options_that_differ_in_replaced_values_have_an_effect(space, digits: Dataset) -> None:
    options = [{"epochs": 5, "images": 500, "batch_size": 50}, {"epochs": 3, "images": 1000, "batch_size": 100}]
    assert only(space(train={"choice": options}), digits).effective


def test_dummy_outputs_are_complete_and_reproducible(space, digits: Dataset) -> None:
    small = digits.take(20, 10, 10)
    hint = {"name": "hint", "alpha": 0.5, "guided": "relu1", "hint": "relu1", "regressor": "linear"}
    recipe = space(method=hint, train={"shift": {"choice": [1]}}).fill({"train.shift": 1}, 0)
    first, again = (dummy_distillation_data(recipe, small).teacher for _ in range(2))
    assert first is not None and again is not None
    assert first.train.shape == (20, 10) and first.val.shape == (10, 10) and (first.train == again.train).all()
    assert first.views[1].shape == (9, 20, 10) and first.features["relu1"].shape == (20, 8)
    assert dummy_distillation_data(recipe.baseline(), small).teacher is None
