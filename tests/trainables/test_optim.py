"""Learning rates at every step, and optimizer states."""

from __future__ import annotations

import math
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from spaces.training import Train
from trainables.optim import OPTIMIZERS, SCHEDULES, build_optimizer, flatten_state, learning_rate, restore_state

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
    assert [learning_rate(train, step, 4) for step in range(8)] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("decay", "factor"), [({}, 0.1), ({"decay": 0.5}, 0.5)])
def test_a_rate_falls_after_each_milestone(decay: dict[str, float], factor: float) -> None:
    values = {"epochs": 4, "lr": 1, "schedule": "step", "milestones": [1, 3], "warmup": 1, **decay}
    rates = [learning_rate(Train.model_validate(values), step, 2) for step in range(8)]
    assert rates == pytest.approx([0.5, 1, *[factor] * 4, factor**2, factor**2])


@pytest.mark.parametrize(("nesterov", "steps"), [(False, [1, 1.9, 2.71]), (None, [1.9, 2.71, 3.439])])
def test_momentum_with_and_without_nesterov(nesterov: bool | None, steps: list[float]) -> None:
    """Sutskever et al. (2013): velocity v = 0.9 v + g; the step is v, or 0.9 v + g with Nesterov's form."""
    weight = nn.Parameter(torch.zeros(1))
    train = Train.model_validate({"optimizer": "sgd", "lr": 1, "nesterov": nesterov})
    optimizer = build_optimizer(nn.ParameterList([weight]), train)
    for step in steps:
        before = weight.item()
        weight.grad = torch.ones(1)
        optimizer.step()
        assert before - weight.item() == pytest.approx(step, rel=1e-5)


@given(
    schedule=st.sampled_from(sorted(SCHEDULES.keys() - {"step"})),
    epochs=st.integers(1, 20),
    warmup=st.integers(0, 25),
    steps=st.integers(1, 30),
    lr=st.floats(1e-6, 10),
)
def test_rates_do_not_exceed_lr(schedule: str, epochs: int, warmup: int, steps: int, lr: float) -> None:
    train = Train.model_validate({"epochs": epochs, "lr": lr, "schedule": schedule, "warmup": warmup})
    rates = [learning_rate(train, step, steps) for step in range(epochs * steps)]
    assert all(0 < rate <= lr * (1 + 1e-12) for rate in rates)
    rising, falling = rates[: warmup * steps], rates[warmup * steps :]
    assert rising == sorted(rising) and falling == sorted(falling, reverse=True)
    assert all(math.isclose(rate, lr) for rate in falling[:1])


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_options_of_the_recipe(name: str) -> None:
    values: dict[str, Any] = {"optimizer": name, "lr": 0.03, "weight_decay": 0.2}
    group = build_optimizer(nn.Linear(3, 2), Train.model_validate(values)).param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.03, 0.2)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_has_the_defaults_of_keras(name: str) -> None:
    group = build_optimizer(nn.Linear(3, 2), Train.model_validate({"optimizer": name})).param_groups[0]
    assert (group["betas"], group["eps"]) == ((0.9, 0.999), 1e-7)


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
        optimizer = make(model.parameters(), lr=0.1, weight_decay=0.01, **options)
        for _ in range(5):
            optimizer.zero_grad()
            model(inputs).square().mean().backward()
            optimizer.step()
        learnt.append([*model.parameters(), *flatten_state(optimizer).values()])
    assert len(learnt[0]) > 1 and all(map(torch.equal, *learnt))


FIRST_STEPS = """
import sys
from pathlib import Path
from search.plan.dummy_teacher import dummy_distillation_data
from spaces.recipe import Recipe
from trainables.checkpoint import load_checkpoint, save_checkpoint
from trainables.cost import count_cost
from trainables.data import load_dataset
from trainables.fit import fit
from trainables.models import build_network
from trainables.packs.fit_pack import fit_pack

tree = {"student": {"model": {"name": "cnn3", "width": 4}}, "teacher": {"model": {"name": "cnn3", "width": 4}}}
tree |= {"data": {"name": "digits"}, "method": {"name": "hinton", "alpha": 0.5, "temperature": 4}}
recipes = [
    Recipe.model_validate({**tree, "train": {"epochs": 2, "batch_size": 64, "optimizer": name}, "seed": 1})
    for name in sys.argv[2:]
]
digits = load_dataset("digits").take(128, 64, 64)
assert count_cost(build_network(recipes[0].network, digits.shape, 10), digits.shape).macs
for recipe in recipes:
    data = dummy_distillation_data(recipe, digits)
    save_checkpoint(Path(sys.argv[1]), next(fit(recipe, data)).state)
    list(fit(recipe, data, start=load_checkpoint(Path(sys.argv[1]))))
list(fit_pack([recipe.model_copy(update={"seed": seed}) for seed in (1, 2)], data))
print([name for name in sys.modules if name in ("torch._dynamo", "torch._inductor")])
"""


def test_torch_compiler_is_not_imported(tmp_path: Path) -> None:
    """The import takes seconds and over 100 MB in every process."""
    command = [sys.executable, "-c", FIRST_STEPS, str(tmp_path / "checkpoint"), *OPTIMIZERS]
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_sgd_takes_momentum(momentum: float) -> None:
    group = build_optimizer(nn.Linear(3, 2), Train(optimizer="sgd", momentum=momentum)).param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (momentum, momentum > 0)


def trained(name: str, steps: int = 2) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = build_optimizer(model, Train.model_validate({"optimizer": name}))
    for _ in range(steps):
        step(model, optimizer)
    return model, optimizer


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.arange(48.0).reshape(1, 3, 4, 4).sin()).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_restored_state_continues(name: str, steps: int) -> None:
    model, optimizer = trained(name, steps)
    copy = nn.Conv2d(3, 4, 2).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    copy.load_state_dict(model.state_dict())
    copy_optimizer = build_optimizer(copy, Train.model_validate({"optimizer": name}))
    # Tensors in a file are contiguous; convolutions are trained in channels last.
    state = {key: value.clone(memory_format=torch.contiguous_format) for key, value in flatten_state(optimizer).items()}
    restore_state(copy_optimizer, state)
    for _ in range(3):
        step(model, optimizer)
        step(copy, copy_optimizer)
    assert torch.equal(model.weight, copy.weight)


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_restored_tensors_are_copied(name: str) -> None:
    model, optimizer = trained(name)
    state = {key: value.clone() for key, value in flatten_state(optimizer).items()}
    restored = {key: value.clone() for key, value in state.items()}
    restore_state(optimizer, restored)
    step(model, optimizer)
    assert all(torch.equal(restored[key], state[key]) for key in state)
