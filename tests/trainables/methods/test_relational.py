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


def teacher_term(guided: Tensor, hint: Tensor, distance_weight: float = 0.0, angle_weight: float = 0.0) -> Tensor:
    """The loss without the labels."""
    logits, labels = torch.zeros(len(guided), 2), torch.zeros(len(guided), dtype=torch.long)
    student, teacher = Output(logits, {"layer": guided}), Output(logits, {"layer": hint})
    weights = {"distance_weight": distance_weight, "angle_weight": angle_weight}
    return relational(student, teacher, labels, alpha=1.0, guided="layer", hint="layer", **weights)


def random_tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def huber(difference: np.ndarray) -> np.ndarray:
    size = np.abs(difference)
    return np.where(size <= 1, size**2 / 2, size - 0.5)


def relations(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances [n, n] in units of their mean, and cosines [n, n, n] from unit vectors, as the paper writes them."""
    differences = points[:, None] - points
    lengths = np.sqrt((differences**2).sum(-1))
    units = differences / np.where(lengths > 0, lengths, 1)[..., None]
    return lengths / lengths[lengths > 0].mean(), np.einsum("ijd,ikd->ijk", units, units)


@pytest.mark.parametrize("weights", [(25.0, 50.0), (1.0, 0.0), (0.0, 1.0)])
def test_relational_in_numpy(weights: tuple[float, float]) -> None:
    guided, hint = random_tensor(19, 2, 3), 5 * random_tensor(19, 11, seed=1)  # more vertices than VERTICES_PER_STEP
    student_relations, teacher_relations = relations(guided.flatten(1).numpy()), relations(hint.numpy())
    distances, angles = (huber(x - y) for x, y in zip(student_relations, teacher_relations, strict=True))
    losses = teacher_term(guided, hint, *weights)
    np.testing.assert_allclose(losses.mean(), weights[0] * distances.mean() + weights[1] * angles.mean())
    np.testing.assert_allclose(losses, weights[0] * distances.mean(1) + weights[1] * angles.mean((1, 2)))


def test_relational_by_hand() -> None:
    # A triangle of equal sides against three points in a row. Distances: 1, 1, 1 against 3/4, 3/4, 3/2.
    # Cosines: 1/2 at each corner against 1, -1, 1. Each pair counts twice among 9, each angle twice among 27.
    line, triangle = torch.tensor([[0.0], [1.0], [2.0]]), torch.eye(3)
    assert teacher_term(line, triangle, distance_weight=1.0).mean().item() == pytest.approx(2 * (2 / 32 + 1 / 8) / 9)
    assert teacher_term(line, triangle, angle_weight=1.0).mean().item() == pytest.approx(2 * (2 / 8 + 1) / 27)


@settings(max_examples=30)
@given(seed=st.integers(0, 99), scale=st.floats(0.01, 100), shift=st.floats(-100, 100))
def test_shift_rotation_and_scale_of_all_examples_cost_nothing(seed: int, scale: float, shift: float) -> None:
    hint = random_tensor(6, 4, seed=seed)
    rotation, _ = torch.linalg.qr(random_tensor(4, 4, seed=seed + 100))
    assert_close(teacher_term(scale * hint @ rotation + shift, hint, 25.0, 50.0), torch.zeros(6, dtype=torch.float64))


def test_equal_examples_have_neither_angle_nor_infinite_gradient() -> None:
    guided, hint = random_tensor(6, 4)[[0, 0, 1, 2, 3, 3]].requires_grad_(), random_tensor(6, 4, seed=1)
    losses = teacher_term(guided, hint, 25.0, 50.0)
    losses.sum().backward()
    assert guided.grad is not None and losses.isfinite().all() and guided.grad.isfinite().all()
    student_angles, teacher_angles = relations(guided.detach().numpy())[1], relations(hint.numpy())[1]
    expected = huber(student_angles - teacher_angles).mean()
    np.testing.assert_allclose(teacher_term(guided, hint, angle_weight=1.0).mean().item(), expected)
