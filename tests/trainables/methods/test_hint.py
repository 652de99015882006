"""Hints in one stage, and the difference to the original project."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import Identity
from torch.nn.functional import cross_entropy

from trainables.methods.hint import hint
from trainables.output import Output


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_hint_in_numpy(
    alpha: float, random_case: Callable, method_module: Callable, numpy_cross_entropy: Callable
) -> None:
    case = random_case()
    module = method_module("hint", case, alpha=alpha, guided="first", hint="second")
    regressed = module(case.student.features["first"]).detach()
    difference = (case.teacher.features["second"] - regressed).numpy().reshape(6, -1)
    hard = numpy_cross_entropy(case.student.logits.numpy(), case.labels.numpy())
    losses = hint(*case, module, alpha=alpha, guided="first", hint="second").detach()
    np.testing.assert_allclose(losses, alpha * np.sqrt((difference**2).sum(-1)) + (1 - alpha) * hard)


def outputs_with_distance(units: torch.Tensor) -> tuple[Output, Output, torch.Tensor]:
    """256 examples with this distance to the hint in each unit."""
    logits = torch.randn(256, 10, generator=torch.Generator().manual_seed(0))
    student = Output(logits, {"guided": torch.zeros(256, len(units))})
    return student, Output(logits, {"hint": units.repeat(256, 1)}), torch.arange(256) % 10


def test_hint_by_hand() -> None:
    losses = hint(*outputs_with_distance(torch.tensor([3.0, 4.0])), Identity(), alpha=1.0, guided="guided", hint="hint")
    assert torch.equal(losses, torch.full((256,), 5.0))


def test_the_projects_alpha_of_4_fifths_is_64_65ths() -> None:
    case = outputs_with_distance(torch.tensor([3.0, 4.0]))
    batch_norm_value = torch.linalg.vector_norm(case[1].features["hint"] - case[0].features["guided"])
    theirs = 0.8 * batch_norm_value + 0.2 * cross_entropy(case[0].logits, case[2])
    ours = hint(*case, Identity(), alpha=64 / 65, guided="guided", hint="hint").mean()
    assert theirs.item() == pytest.approx(13 * ours.item(), rel=1e-5)
