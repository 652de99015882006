"""Learning rates at every step, and optimisers taken apart and put together."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spaces.recipe import Train
from trainables.optim import OPTIMIZERS, SCHEDULES, flatten, optimizer, rate, unflatten


@pytest.mark.parametrize(
    ("schedule", "warmup", "expected"),
    [  # two epochs of four steps, lr 1
        ("constant", 0, [1, 1, 1, 1, 1, 1, 1, 1]),
        ("constant", 1, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]),
        ("linear", 0, [1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]),
        ("linear", 1, [0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25]),
        ("cosine", 0, [1, 0.9619398, 0.8535534, 0.6913417, 0.5, 0.3086583, 0.1464466, 0.0380602]),
        ("cosine", 1, [0.25, 0.5, 0.75, 1, 1, 0.8535534, 0.5, 0.1464466]),
    ],
)
def test_rates(schedule: str, warmup: int, expected: list[float]) -> None:
    train = Train.model_validate({"epochs": 2, "lr": 1, "schedule": schedule, "warmup": warmup})
    assert [rate(train, step, 4) for step in range(8)] == pytest.approx(expected, abs=1e-6)


def test_a_rate_falls_after_each_milestone() -> None:
    values = {"epochs": 4, "lr": 1, "schedule": "step", "milestones": [1, 3], "warmup": 1}
    rates = [rate(Train.model_validate(values), step, 2) for step in range(8)]
    assert rates == pytest.approx([0.5, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01])


@settings(deadline=None)
@given(
    schedule=st.sampled_from(sorted(SCHEDULES.keys() - {"step"})),
    epochs=st.integers(1, 20),
    warmup=st.integers(0, 25),
    steps=st.integers(1, 30),
    lr=st.floats(1e-6, 10),
)
def test_rates_rise_to_lr_and_never_above_it(schedule: str, epochs: int, warmup: int, steps: int, lr: float) -> None:
    train = Train.model_validate({"epochs": epochs, "lr": lr, "schedule": schedule, "warmup": warmup})
    rates = [rate(train, step, steps) for step in range(epochs * steps)]
    assert all(0 < each <= lr * (1 + 1e-12) for each in rates)
    rising, falling = rates[: warmup * steps], rates[warmup * steps :]
    assert rising == sorted(rising) and falling == sorted(falling, reverse=True)
    assert all(math.isclose(each, lr) for each in falling[:1])


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_the_recipe_reaches_the_optimiser(name: str) -> None:
    values: dict[str, Any] = {"optimizer": name, "lr": 0.03, "weight_decay": 0.2}
    found = optimizer(nn.Linear(3, 2), Train.model_validate(values)).param_groups[0]
    assert (found["lr"], found["weight_decay"]) == (0.03, 0.2)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_is_that_of_keras(name: str) -> None:
    found = optimizer(nn.Linear(3, 2), Train.model_validate({"optimizer": name})).param_groups[0]
    assert (found["betas"], found["eps"]) == ((0.9, 0.999), 1e-7)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_sgd_takes_momentum(momentum: float) -> None:
    found = optimizer(nn.Linear(3, 2), Train(optimizer="sgd", momentum=momentum)).param_groups[0]
    assert (found["momentum"], found["nesterov"]) == (momentum, momentum > 0)


def trained(name: str, steps: int = 2) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = optimizer(model, Train.model_validate({"optimizer": name}))
    for _ in range(steps):
        step(model, optimiser)
    return model, optimiser


def step(model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    optimiser.zero_grad()
    model(torch.arange(48.0).reshape(1, 3, 4, 4).sin()).square().sum().backward()
    optimiser.step()


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_put_together_it_goes_on_as_if_never_taken_apart(name: str, steps: int) -> None:
    model, optimiser = trained(name, steps)
    other = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    other.load_state_dict(model.state_dict())
    twin = optimizer(other, Train.model_validate({"optimizer": name}))
    # A file keeps every tensor contiguous; convolutions are trained with channels last.
    kept = {key: value.clone(memory_format=torch.contiguous_format) for key, value in flatten(optimiser).items()}
    unflatten(twin, kept)
    for _ in range(3):
        step(model, optimiser)
        step(other, twin)
    assert torch.equal(model.weight, other.weight)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_what_was_put_in_is_not_changed_by_going_on(name: str) -> None:
    model, optimiser = trained(name)
    kept = {key: value.clone() for key, value in flatten(optimiser).items()}
    given = {key: value.clone() for key, value in kept.items()}
    unflatten(optimiser, given)
    step(model, optimiser)
    assert all(torch.equal(given[key], kept[key]) for key in kept)
