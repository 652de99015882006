"""Learning rates at every step, and optimisers taken apart and put together."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spaces.recipe import Train
from trainables.optim import OPTIMIZERS, SCHEDULES, flatten, optimizer, rate, unflatten

ROOT = Path(__file__).parents[2]


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


TORCH_S = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


@pytest.mark.parametrize(
    ("name", "options"), [*((name, {}) for name in OPTIMIZERS), ("sgd", {"momentum": 0.9, "nesterov": True})]
)
def test_each_is_torch_s_own_to_the_bit(name: str, options: dict[str, Any]) -> None:
    learnt = []
    for make in (OPTIMIZERS[name], partial(TORCH_S[name], **OPTIMIZERS[name].keywords)):  # type: ignore[attr-defined]
        torch.manual_seed(0)
        model, inputs = nn.Linear(5, 4), torch.randn(8, 5)
        optimiser = make(model.parameters(), lr=0.1, weight_decay=0.01, **options)
        for _ in range(5):
            optimiser.zero_grad()
            model(inputs).square().mean().backward()
            optimiser.step()
        learnt.append([*model.parameters(), *flatten(optimiser).values()])
    assert len(learnt[0]) > 1 and all(map(torch.equal, *learnt))


FIRST_STEPS = """
import sys
from pathlib import Path
from spaces.recipe import Recipe
from trainables import packed
from trainables.checkpoint import load, save
from trainables.cost import cost
from trainables.data import load as data
from trainables.fit import fit
from trainables.models import build
from trainables.rehearsal import rehearsal

tree = {"student": {"model": {"name": "cnn3", "width": 4}}, "teacher": {"model": {"name": "cnn3", "width": 4}}}
tree |= {"data": {"name": "digits"}, "method": {"name": "hinton", "alpha": 0.5, "temperature": 4}}
recipes = [
    Recipe.model_validate({**tree, "train": {"epochs": 2, "batch_size": 64, "optimizer": name}, "seed": 1})
    for name in sys.argv[2:]
]
digits = data("digits").take(128, 64, 64)
assert cost(build(recipes[0].network, digits.shape, 10), digits.shape).macs
for recipe in recipes:
    lesson = rehearsal(recipe, digits)
    save(Path(sys.argv[1]), next(fit(recipe, lesson)).state)
    list(fit(recipe, lesson, start=load(Path(sys.argv[1]))))
list(packed.fit([recipe.model_copy(update={"seed": seed}) for seed in (1, 2)], lesson))
print([name for name in sys.modules if name in ("torch._dynamo", "torch._inductor")])
"""


def test_nothing_imports_torch_s_compiler(tmp_path: Path) -> None:
    """It takes seconds and over 100 MB in every process, for nobody."""
    command = [sys.executable, "-c", FIRST_STEPS, str(tmp_path / "checkpoint"), *OPTIMIZERS]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert said.stdout.strip() == "[]"


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
