"""Everything random in a training derives from its seed, so that cells of one seed are paired."""

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
from trainables.fit import Epoch, State, fit
from trainables.models import MODELS

Make = Callable[..., Recipe]
Run = Callable[..., list[Epoch]]
Same = Callable[[list[Epoch], list[Epoch]], bool]
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}


@pytest.mark.parametrize("model", [None, {"name": "cnn"}], ids=["mlp", "cnn"])
def test_whatever_ran_before(
    recipe: Make, run: Run, same: Same, lesson: DistillationData, model: dict[str, Any] | None
) -> None:
    wanted = recipe(model, HINTON, teacher={}, epochs=2)
    first = run(wanted, lesson)
    torch.manual_seed(5)
    np.random.seed(5)
    torch.set_default_dtype(torch.float64)
    torch.nn.Linear(9, 9)(torch.rand(3, 9)).sum().backward()
    torch.set_default_dtype(torch.float32)
    run(recipe(seed=9, optimizer="sgd", epochs=1), lesson)
    assert same(run(wanted, lesson), first)


def test_trainings_taken_in_turns_do_not_meet(recipe: Make, run: Run, same: Same, labels: DistillationData) -> None:
    alone = run(recipe(), labels)
    other = fit(recipe(seed=1), labels)
    mixed = []
    for each in fit(recipe(), labels):
        mixed.append(
            each._replace(state=State(*each.state[:2], *({k: v.clone() for k, v in p.items()} for p in each.state[2:])))
        )
        next(other)
    assert same([each._replace(seconds=0.0) for each in mixed], alone)


class Probe(nn.Module):
    """A linear model that keeps the images it is trained on and what its dropout let through."""

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
def probe(monkeypatch: pytest.MonkeyPatch, run: Run, lesson: DistillationData, recipe: Make) -> Callable[..., Probe]:
    """Return the probe that was trained by a recipe."""
    built: list[Probe] = []

    def make(shape: tuple[int, int, int], classes: int) -> Probe:
        built.append(Probe(shape, classes))
        return built[-1]

    def trained(method: dict[str, Any] = HINTON, **train: Any) -> Probe:
        run(recipe({"name": "probe"}, method, teacher={}, **{"epochs": 2, **train}), lesson)
        return built[-1]

    monkeypatch.setitem(MODELS, "probe", make)
    return trained


def equal(some: list[torch.Tensor], others: list[torch.Tensor]) -> list[bool]:
    return [torch.equal(a, b) for a, b in zip(some, others, strict=True)]


def test_seeds_differ_in_initialisation_order_and_dropout(probe: Callable[..., Probe]) -> None:
    first, other = probe(seed=0), probe(seed=1)
    assert not torch.equal(first.start, other.start)
    assert not any(equal(first.seen, other.seen))
    assert not any(equal(first.dropped, other.dropped))


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
    first, other = probe(), probe(**change)
    assert torch.equal(first.start, other.start)
    assert all(equal(first.seen, other.seen))
    assert all(equal(first.dropped, other.dropped))
    assert not torch.equal(first.linear.weight, other.linear.weight)


def test_an_epoch_meets_every_image_once_at_most(probe: Callable[..., Probe], digits: Dataset) -> None:
    seen = torch.cat(probe(epochs=1).seen).mul(255).round().byte().numpy()
    known = {image.tobytes() for image in digits.train.images}
    met = {image.tobytes() for image in seen}
    assert len(seen) == len(met) == 17 * 64 and met <= known


def test_fewer_images_than_a_batch_are_one_batch(probe: Callable[..., Probe]) -> None:
    assert [len(images) for images in probe(epochs=2, batch_size=5000).seen] == [1097, 1097]


def test_shift_reaches_the_student_alone(probe: Callable[..., Probe], digits: Dataset) -> None:
    still, shifted = probe({"name": "none"}, epochs=1), probe({"name": "none"}, epochs=1, shift=2)
    assert not any(equal(still.seen, shifted.seen))
    assert all(equal(still.dropped, shifted.dropped))
