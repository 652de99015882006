"""Which students may share a pack: those whose recipes differ in a seed, in rates or in a method's numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from spaces.recipe import Recipe
from trainables.packs.alike import pack_key

Make = Callable[..., Recipe]
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"lr": 0.5}, {"weight_decay": 0.1}, {"method": HINTON | {"alpha": 1}}], ids=str
)
def test_alike(recipe: Make, other: dict[str, Any]) -> None:
    base = {"method": HINTON, "teacher": {}}
    assert pack_key(recipe(**base)) == pack_key(recipe(**base | other)) is not None


def test_a_default_is_a_number_too(recipe: Make) -> None:
    method = {"name": "decoupled", "alpha": 0.5, "temperature": 4.0}
    assert pack_key(recipe(None, method, teacher={})) == pack_key(recipe(None, method | {"beta": 1.0}, teacher={}))


@pytest.mark.parametrize(
    "other",
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
def test_unlike(recipe: Make, other: dict[str, Any]) -> None:
    base = {"method": HINTON, "teacher": {}}
    assert pack_key(recipe(**base)) != pack_key(recipe(**base | other)) is not None


def test_a_first_stage_is_for_equals(recipe: Make) -> None:
    method = {"name": "fitnets", "guided": "relu1", "hint": "relu1", "alpha": 0.5, "temperature": 4.0, "hint_epochs": 1}
    one, other = (recipe(None, method | {"alpha": alpha}, teacher={}) for alpha in (0.5, 0.6))
    assert pack_key(one) != pack_key(other)
    assert pack_key(one) == pack_key(one.model_copy(update={"seed": 1}))


@pytest.mark.parametrize(
    "other",
    [
        {"model": {"name": "resnet18"}},
        {"model": {"name": "mlp", "hidden": [16], "weights": "some.safetensors"}},
        {"model": {"name": "ensemble", "members": 2, "of": {"name": "mlp", "hidden": [4]}}},
        {"layers": ["logits"]},
        {"head_first": {"epochs": 1, "layers": ["logits"], "lr": 0.1}},
        {"omit": {"classes": [3], "correct_bias": True}},
    ],
    ids=str,
)
def test_alone(recipe: Make, other: dict[str, Any]) -> None:
    assert pack_key(recipe(**other)) is None
