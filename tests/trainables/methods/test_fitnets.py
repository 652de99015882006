"""FitNets: a stage of hints, then a stage of distillation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import Identity
from torch.testing import assert_close

from trainables.methods.fitnets import fitnets
from trainables.methods.hinton import hinton
from trainables.methods.none import none
from trainables.output import Output, Progress

KNOBS = {"alpha": 0.7, "temperature": 4.0, "guided": "first", "hint": "second"}


def test_the_hint_stage_in_numpy(random_case: Callable, method_module: Callable) -> None:
    case = random_case()
    module = method_module("fitnets", case, hint_epochs=3, **KNOBS)
    difference = (case.teacher.features["second"] - module(case.student.features["first"]).detach()).numpy()
    for epoch in (1, 3):
        losses = fitnets(*case, Progress(epoch, 9), module, hint_epochs=3, **KNOBS).detach()
        np.testing.assert_allclose(losses, (difference**2).reshape(6, -1).sum(-1) / 2)


def test_the_hint_stage_by_hand() -> None:
    student = Output(torch.zeros(1, 2), {"first": torch.tensor([[1.0, 2.0]])})
    teacher = Output(torch.zeros(1, 2), {"second": torch.tensor([[4.0, 6.0]])})
    case = student, teacher, torch.tensor([0])
    assert fitnets(*case, Progress(1, 2), Identity(), hint_epochs=1, **KNOBS).item() == 12.5


def test_the_hint_stage_trains_on_the_hint_only(random_case: Callable, gradients: Callable) -> None:
    losses = gradients("fitnets", random_case(), epoch=3, hint_epochs=3, **KNOBS)
    assert {name for name, slope in losses.items() if slope.any()} == {"first"}


@pytest.mark.parametrize("epoch", [4, 9])
def test_the_second_stage_without_decay_is_plain_distillation(epoch: int, random_case: Callable) -> None:
    losses = fitnets(*random_case(), Progress(epoch, 9), Identity(), hint_epochs=3, decay=False, **KNOBS)
    assert torch.equal(losses, hinton(*random_case(), alpha=0.7, temperature=4.0))


def test_alpha_falls_linearly_to_the_labels(random_case: Callable) -> None:
    case = random_case()
    losses = [fitnets(*case, Progress(epoch, 9), Identity(), hint_epochs=3, **KNOBS) for epoch in range(4, 10)]
    assert torch.equal(losses[0], hinton(*case, alpha=0.7, temperature=4.0))
    assert torch.equal(losses[-1], none(*case))
    steps = torch.stack(losses).diff(dim=0)
    assert_close(steps, steps[:1].expand_as(steps))


@pytest.mark.parametrize(("hint_epochs", "stage"), [(0, 2), (8, 2), (9, 1), (20, 1)])
def test_either_stage_may_be_empty(
    hint_epochs: int, stage: int, random_case: Callable, method_module: Callable
) -> None:
    case, last = random_case(), Progress(9 if hint_epochs else 1, 9)
    module = method_module("fitnets", case, hint_epochs=hint_epochs, **KNOBS)
    losses = fitnets(*case, last, module, hint_epochs=hint_epochs, **KNOBS)
    distilled = hinton(*case, alpha=0.7, temperature=4.0)  # at full weight in the first epoch of the second stage
    assert torch.equal(losses, distilled) == (stage == 2)
