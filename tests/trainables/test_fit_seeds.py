"""All randomness derives from the seed, so students with equal seeds are paired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.distillation_data import DistillationData
from trainables.fit import EpochResult, TrainingState, fit
from trainables.models import MODELS

Make = Callable[..., Recipe]
Run = Callable[..., list[EpochResult]]
Same = Callable[[list[EpochResult], list[EpochResult]], bool]
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}


@pytest.mark.parametrize("model", [None, {"name": "cnn"}], ids=["mlp", "cnn"])
def test_global_state_has_no_effect(
    recipe: Make, run: Run, same: Same, distillation_data: DistillationData, model: dict[str, Any] | None
) -> None:
    student = recipe(model, HINTON, teacher={}, epochs=2)
    first = run(student, distillation_data)
    torch.manual_seed(5)
    np.random.seed(5)
    torch.set_default_dtype(torch.float64)
    torch.nn.Linear(9, 9)(torch.rand(3, 9)).sum().backward()
    torch.set_default_dtype(torch.float32)
    run(recipe(seed=9, optimizer="sgd", epochs=1), distillation_data)
    assert same(run(student, distillation_data), first)


def test_interleaved_trainings_are_independent(recipe: Make, run: Run, same: Same, labels: DistillationData) -> None:
    expected = run(recipe(), labels)
    other_training = fit(recipe(seed=1), labels)
    mixed = []
    for result in fit(recipe(), labels):
        mixed.append(
            result._replace(
                state=TrainingState(
                    *result.state[:2], *({k: v.clone() for k, v in p.items()} for p in result.state[2:])
                )
            )
        )
        next(other_training)
    assert same([result._replace(epoch_seconds=0.0) for result in mixed], expected)


class Probe(nn.Module):
    """Linear model that records its training images and dropout outputs."""

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(int(np.prod(shape)), classes)
        self.dropout = nn.Dropout(0.5)
        self.seen: list[torch.Tensor] = []
        self.dropped: list[torch.Tensor] = []
        self.start = self.linear.weight.detach().clone()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen.append(images.clone())
            self.dropped.append(self.dropout(torch.ones(len(images), 20)))
        return self.linear(images.flatten(1))


@pytest.fixture
def probe(
    monkeypatch: pytest.MonkeyPatch, run: Run, distillation_data: DistillationData, recipe: Make
) -> Callable[..., Probe]:
    """Train a probe by a recipe and return it."""
    built: list[Probe] = []

    def make(shape: tuple[int, int, int], classes: int) -> Probe:
        built.append(Probe(shape, classes))
        return built[-1]

    def trained(method: dict[str, Any] = HINTON, **train: Any) -> Probe:
        run(recipe({"name": "probe"}, method, teacher={}, **{"epochs": 2, **train}), distillation_data)
        return built[-1]

    monkeypatch.setitem(MODELS, "probe", make)
    return trained


def equal(first: list[torch.Tensor], second: list[torch.Tensor]) -> list[bool]:
    return [torch.equal(a, b) for a, b in zip(first, second, strict=True)]


def test_seeds_differ_in_initialization_order_and_dropout(probe: Callable[..., Probe]) -> None:
    first, second = probe(seed=0), probe(seed=1)
    assert not torch.equal(first.start, second.start)
    assert not any(equal(first.seen, second.seen))
    assert not any(equal(first.dropped, second.dropped))


def test_epochs_differ_in_order_and_dropout(probe: Callable[..., Probe]) -> None:
    first = probe()
    assert len(first.seen) == 2 * 17
    assert not any(equal(first.seen[:17], first.seen[17:]))
    assert not any(equal(first.dropped[:17], first.dropped[17:]))


@pytest.mark.parametrize(
    "change",
    [
        {"method": HINTON | {"alpha": 1.0}},
        {"method": HINTON | {"temperature": 64.0}},
        {"method": {"name": "none"}},
        {"lr": 0.5},
        {"optimizer": "sgd"},
        {"schedule": "cosine"},
    ],
    ids=str,
)
def test_cells_of_a_seed_are_paired(probe: Callable[..., Probe], change: dict[str, Any]) -> None:
    first, second = probe(), probe(**change)
    assert torch.equal(first.start, second.start)
    assert all(equal(first.seen, second.seen))
    assert all(equal(first.dropped, second.dropped))
    assert not torch.equal(first.linear.weight, second.linear.weight)


def test_an_epoch_has_each_image_at_most_once(probe: Callable[..., Probe], digits: Dataset) -> None:
    seen = torch.cat(probe(epochs=1).seen).mul(255).round().byte().numpy()
    training_images = {image.tobytes() for image in digits.train.images}
    unique = {image.tobytes() for image in seen}
    assert len(seen) == len(unique) == 17 * 64 and unique <= training_images


def test_fewer_images_than_a_batch_are_one_batch(probe: Callable[..., Probe]) -> None:
    assert [len(images) for images in probe(epochs=2, batch_size=5000).seen] == [1097, 1097]


def test_shift_augments_the_images(probe: Callable[..., Probe], digits: Dataset) -> None:
    still, shifted = probe({"name": "none"}, epochs=1), probe({"name": "none"}, epochs=1, shift=2)
    assert not any(equal(still.seen, shifted.seen))
    assert all(equal(still.dropped, shifted.dropped))
