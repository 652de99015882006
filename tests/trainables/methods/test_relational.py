"""Distances and angles between examples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from trainables.methods.relational import relational
from trainables.output import Output


def term(guided: Tensor, hint: Tensor, distance_weight: float = 0.0, angle_weight: float = 0.0) -> Tensor:
    """The teacher's term alone."""
    logits, labels = torch.zeros(len(guided), 2), torch.zeros(len(guided), dtype=torch.long)
    student, teacher = Output(logits, {"layer": guided}), Output(logits, {"layer": hint})
    weights = {"distance_weight": distance_weight, "angle_weight": angle_weight}
    return relational(student, teacher, labels, alpha=1.0, guided="layer", hint="layer", **weights)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def huber(difference: np.ndarray) -> np.ndarray:
    size = np.abs(difference)
    return np.where(size <= 1, size**2 / 2, size - 0.5)


def relations(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances [n, n] in units of their mean, and cosines [n, n, n] from unit vectors, as the paper writes them."""
    apart = points[:, None] - points
    lengths = np.sqrt((apart**2).sum(-1))
    units = apart / np.where(lengths > 0, lengths, 1)[..., None]
    return lengths / lengths[lengths > 0].mean(), np.einsum("ijd,ikd->ijk", units, units)


@pytest.mark.parametrize("weights", [(25.0, 50.0), (1.0, 0.0), (0.0, 1.0)])
def test_relational_in_numpy(weights: tuple[float, float]) -> None:
    guided, hint = numbers(19, 2, 3), 5 * numbers(19, 11, seed=1)  # more vertices than are taken at a time
    told, taught = relations(guided.flatten(1).numpy()), relations(hint.numpy())
    distances, angles = (huber(some - others) for some, others in zip(told, taught, strict=True))
    found = term(guided, hint, *weights)
    np.testing.assert_allclose(found.mean(), weights[0] * distances.mean() + weights[1] * angles.mean())
    np.testing.assert_allclose(found, weights[0] * distances.mean(1) + weights[1] * angles.mean((1, 2)))


def test_relational_by_hand() -> None:
    # A triangle of equal sides against three points in a row. Distances: 1, 1, 1 against 3/4, 3/4, 3/2.
    # Cosines: 1/2 at each corner against 1, -1, 1. Each pair counts twice among 9, each angle twice among 27.
    row, triangle = torch.tensor([[0.0], [1.0], [2.0]]), torch.eye(3)
    assert term(row, triangle, distance_weight=1.0).mean().item() == pytest.approx(2 * (2 / 32 + 1 / 8) / 9)
    assert term(row, triangle, angle_weight=1.0).mean().item() == pytest.approx(2 * (2 / 8 + 1) / 27)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), scale=st.floats(0.01, 100), shift=st.floats(-100, 100))
def test_moving_turning_and_scaling_all_examples_costs_nothing(seed: int, scale: float, shift: float) -> None:
    hint = numbers(6, 4, seed=seed)
    turn, _ = torch.linalg.qr(numbers(4, 4, seed=seed + 100))
    assert_close(term(scale * hint @ turn + shift, hint, 25.0, 50.0), torch.zeros(6, dtype=torch.float64))


def test_equal_examples_have_neither_angle_nor_infinite_gradient() -> None:
    guided, hint = numbers(6, 4)[[0, 0, 1, 2, 3, 3]].requires_grad_(), numbers(6, 4, seed=1)
    found = term(guided, hint, 25.0, 50.0)
    found.sum().backward()
    assert guided.grad is not None and found.isfinite().all() and guided.grad.isfinite().all()
    told, taught = relations(guided.detach().numpy())[1], relations(hint.numpy())[1]
    np.testing.assert_allclose(term(guided, hint, angle_weight=1.0).mean().item(), huber(told - taught).mean())
