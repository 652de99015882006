"""Pack keys are equal for recipes that differ in seed, rates or a method's numbers only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from spaces.recipe import Recipe
from trainables.packs.pack_key import pack_key

Make = Callable[..., Recipe]
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"lr": 0.5}, {"weight_decay": 0.1}, {"method": HINTON | {"alpha": 1}}], ids=str
)
def test_equal_keys(recipe: Make, change: dict[str, Any]) -> None:
    base = {"method": HINTON, "teacher": {}}
    assert pack_key(recipe(**base)) == pack_key(recipe(**base | change)) is not None


def test_a_default_may_differ(recipe: Make) -> None:
    method = {"name": "decoupled", "alpha": 0.5, "temperature": 4.0}
    assert pack_key(recipe(None, method, teacher={})) == pack_key(recipe(None, method | {"beta": 1.0}, teacher={}))


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"name": "mlp", "hidden": [8]}},
        {"teacher": {"seed": 1}},
        {"method": HINTON | {"name": "standardized"}},
        *({name: value} for name, value in (("epochs", 4), ("batch_size", 32), ("optimizer", "adamw"), ("shift", 1))),
        *({name: value} for name, value in (("schedule", "cosine"), ("warmup", 1), ("precision", "bfloat16"))),
        {"omit": {"classes": [3]}},
        {"max_norm": 1.0},
    ],
    ids=str,
)
def test_different_keys(recipe: Make, change: dict[str, Any]) -> None:
    base = {"method": HINTON, "teacher": {}}
    assert pack_key(recipe(**base)) != pack_key(recipe(**base | change)) is not None


def test_knobs_of_a_module_must_be_equal(recipe: Make) -> None:
    method = {"name": "variational", "guided": "relu1", "hint": "relu1", "alpha": 0.5}
    first, other, varied = (
        pack_key(recipe(None, method | knobs, teacher={})) for knobs in ({}, {"variance": 2.0}, {"beta": 2.0})
    )
    assert first == varied != other is not None


def test_knobs_of_a_first_stage_must_be_equal(recipe: Make) -> None:
    method = {"name": "fitnets", "guided": "relu1", "hint": "relu1", "alpha": 0.5, "temperature": 4.0, "hint_epochs": 1}
    first, second = (recipe(None, method | {"alpha": alpha}, teacher={}) for alpha in (0.5, 0.6))
    assert pack_key(first) != pack_key(second)
    assert pack_key(first) == pack_key(first.model_copy(update={"seed": 1}))


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"name": "resnet18"}},
        {"model": {"name": "mlp", "hidden": [16], "weights": "some.safetensors"}},
        {"model": {"name": "ensemble", "members": 2, "of": {"name": "mlp", "hidden": [4]}}},
        {"layers": ["logits"]},
        {"method": {"name": "contrastive", "guided": "relu1", "hint": "relu1", "alpha": 0.5}, "teacher": {}},
        {"head_first": {"epochs": 1, "layers": ["logits"], "lr": 0.1}},
        {"omit": {"classes": [3], "correct_bias": True}},
    ],
    ids=str,
)
def test_no_key(recipe: Make, change: dict[str, Any]) -> None:
    assert pack_key(recipe(**change)) is None
