"""Trained layers and learning rates per phase; the other layers stay frozen."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spaces.recipe import Recipe
from spaces.training import Train
from trainables import checkpoint
from trainables.data import Dataset
from trainables.distillation_data import DistillationData
from trainables.fit import EpochResult
from trainables.models import build_network
from trainables.optim import OPTIMIZERS, learning_rate
from trainables.phases import phase_problems

Make = Callable[..., Recipe]
Run = Callable[..., list[EpochResult]]
Same = Callable[[list[EpochResult], list[EpochResult]], bool]
CNN = {"name": "plain_cnn"}  # conv1, norm1, conv2, norm2, logits
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}
TOP = {"epochs": 2, "layers": ["logits"], "lr": 0.01}


@pytest.fixture(scope="session")
def small(digits: Dataset) -> DistillationData:
    return DistillationData(digits.take(256, 50, 50), None)


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    """Return the layers with a changed tensor."""
    return {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}


def test_the_head_trains_first(recipe: Make, run: Run, small: DistillationData) -> None:
    student = recipe(CNN, head_first=TOP, epochs=4, lr=0.001)
    fresh = dict(build_network(student.network, small.data.shape, 10, student.seed).state_dict())
    states = [fresh, *(result.state.weights for result in run(student, small))]
    moves = [changed(*pair) for pair in pairwise(states)]
    assert moves == [{"logits"}] * 2 + [{"conv1", "norm1", "conv2", "norm2", "logits"}] * 2


def test_layers_of_both_phases(recipe: Make, run: Run, small: DistillationData) -> None:
    student = recipe(CNN, head_first=TOP, layers=["norm2", "logits"], epochs=3, weight_decay=0.1)
    first, second, third = (result.state.weights for result in run(student, small))
    assert changed(first, second) == {"logits"} and changed(second, third) == {"norm2", "logits"}


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize("change", [{}, {"max_norm": 0.1}, {"weight_decay": 0.1}], ids=str)
def test_frozen_layers_are_unchanged(
    recipe: Make, run: Run, small: DistillationData, optimizer: str, change: dict[str, Any]
) -> None:
    student = recipe({"name": "mlp", "hidden": [8, 8]}, layers=["linear2"], optimizer=optimizer, epochs=1, **change)
    fresh = dict(build_network(student.network, small.data.shape, 10, student.seed).state_dict())
    assert changed(fresh, run(student, small)[0].state.weights) == {"linear2"}


def test_the_rate_of_each_phase(recipe: Make, run: Run, small: DistillationData) -> None:
    student = recipe(CNN, head_first=TOP | {"lr": 0.02}, epochs=4, lr=0.002)
    assert [result.lr for result in run(student, small)] == [0.02, 0.02, 0.002, 0.002]


@settings(max_examples=200)
@given(st.integers(1, 9), st.integers(1, 30), st.floats(1e-4, 1), st.sampled_from(["constant", "cosine", "linear"]))
def test_a_phase_scales_the_schedule(top: int, steps: int, lr: float, schedule: str) -> None:
    plain = {"epochs": 10, "warmup": 2, "schedule": schedule, "lr": 0.5}
    phased = Train.model_validate(plain | {"head_first": {"epochs": top, "layers": ["a"], "lr": lr}})
    for step in range(10 * steps):
        expected = learning_rate(Train.model_validate(plain), step, steps) * (lr / 0.5 if step < top * steps else 1)
        assert learning_rate(phased, step, steps) == pytest.approx(expected)


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize("layers", [None, ["conv2", "norm2"]], ids=str)
def test_continue_from_any_epoch(
    recipe: Make,
    run: Run,
    same: Same,
    small: DistillationData,
    tmp_path: Path,
    optimizer: str,
    layers: list[str] | None,
) -> None:
    student = recipe(CNN, head_first=TOP, layers=layers, epochs=4, optimizer=optimizer, lr=0.001)
    results = run(student, small)
    for result in results:
        checkpoint.save_checkpoint(tmp_path / "state", result.state)
        assert same(run(student, small, checkpoint.load_checkpoint(tmp_path / "state")), results[result.epoch :])


def test_continue_a_distilled_student(
    recipe: Make, run: Run, same: Same, distillation_data: DistillationData, tmp_path: Path
) -> None:
    student = recipe(None, HINTON, teacher={}, head_first={"epochs": 1, "layers": ["logits"], "lr": 0.01})
    first, *rest = run(student, distillation_data)
    checkpoint.save_checkpoint(tmp_path / "state", first.state)
    assert same(run(student, distillation_data, checkpoint.load_checkpoint(tmp_path / "state")), rest)


def test_naming_all_layers_equals_naming_none(recipe: Make, run: Run, same: Same, small: DistillationData) -> None:
    all_layers = ["conv1", "norm1", "conv2", "norm2", "logits"]
    assert same(run(recipe(CNN, epochs=2), small), run(recipe(CNN, epochs=2, layers=all_layers), small))


def test_a_layer_inside_a_pool_of_subclasses(recipe: Make, run: Run, small: DistillationData) -> None:
    student = recipe(CNN | {"subclasses": 2}, layers=["logits"], epochs=1)
    fresh = dict(build_network(student.network, small.data.shape, 10, student.seed).state_dict())
    weights = run(student, small)[0].state.weights
    assert {name for name in fresh if not torch.equal(fresh[name], weights[name])} == {
        "subclasses.logits.weight",
        "subclasses.logits.bias",
    }


def test_a_recipe_without_phases_keeps_its_key(recipe: Make) -> None:
    assert recipe().key() == recipe(layers=None, head_first=None).key() != recipe(layers=["logits"]).key()
    assert Recipe().key() == "1ec084e8d4c026c7"  # since `jitter` was renamed to `shift`


@pytest.mark.parametrize(
    ("train", "path"),
    [
        ({"epochs": 2, "head_first": TOP}, "head_first.epochs"),
        ({"epochs": 3, "head_first": {"epochs": 1, "layers": ["a"]}}, "head_first.lr"),
        ({"epochs": 3, "head_first": TOP | {"layers": []}}, "head_first.layers"),
        ({"epochs": 3, "head_first": TOP | {"lr": 0}}, "head_first.lr"),
        ({"layers": []}, "layers"),
        ({"layers": "logits"}, "layers"),
    ],
)
def test_invalid_phases(train: dict[str, Any], path: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Train.model_validate(train)
    (error,) = caught.value.errors()
    location = ".".join(map(str, error["loc"]))
    assert path in (location, error.get("ctx", {}).get("path"))


@pytest.mark.parametrize(
    ("train", "path", "message"),
    [
        ({"layers": ["logit"]}, "train.layers", "no layer logit in this network; did you mean logits?"),
        ({"layers": ["relu1"]}, "train.layers", "layer relu1 has no weights to train; known: conv1"),
        (
            {"head_first": TOP | {"epochs": 1, "layers": ["fc"]}},
            "train.head_first.layers",
            "no layer fc in this network",
        ),
    ],
)
def test_invalid_layers(recipe: Make, digits: Dataset, train: dict[str, Any], path: str, message: str) -> None:
    ((problem_path, text),) = phase_problems(recipe(CNN, **train), digits)
    assert (problem_path, text[: len(message)]) == (path, message)


def test_valid_layers(recipe: Make, digits: Dataset) -> None:
    assert not list(phase_problems(recipe(CNN, layers=["conv2", "logits"], head_first=TOP | {"epochs": 1}), digits))
