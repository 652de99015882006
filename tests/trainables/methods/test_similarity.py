"""Similarities between the examples of a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from trainables.methods.similarity import similarity
from trainables.output import Output


def teacher_term(guided: Tensor, hint: Tensor, gamma: float = 1.0) -> Tensor:
    """The loss without the labels."""
    logits, labels = torch.zeros(len(guided), 2), torch.zeros(len(guided), dtype=torch.long)
    student, teacher = Output(logits, {"layer": guided}), Output(logits, {"layer": hint})
    return similarity(student, teacher, labels, alpha=1.0, guided="layer", hint="layer", gamma=gamma)


def random_tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shapes", [((4, 3), (4, 3)), ((4, 3), (4, 7)), ((4, 2, 3, 3), (4, 5))])
def test_similarity_in_numpy(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    layers = [random_tensor(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    products = [points @ points.T for points in (layer.reshape(4, -1).numpy() for layer in layers)]
    student_rows, teacher_rows = (layer / np.linalg.norm(layer, axis=1, keepdims=True) for layer in products)
    losses = teacher_term(layers[0], layers[1], gamma=3000.0)
    np.testing.assert_allclose(losses, 3000 * ((student_rows - teacher_rows) ** 2).mean(1))
    equation_4 = np.linalg.norm(student_rows - teacher_rows) ** 2 / 4**2
    assert losses.mean().item() == pytest.approx(3000 * equation_4)


def test_similarity_by_hand() -> None:
    # Products of the student's (3, 0) and (0, 1) are the identity's rows; of the teacher's equal ones, (1, 1) / sqrt 2.
    losses = teacher_term(torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0], [2.0]]))
    assert_close(losses, torch.full((2,), (0.5 + (1 - 0.5**0.5) ** 2) / 2))


def test_scale_and_order_of_units_are_ignored() -> None:
    guided, hint = random_tensor(5, 4), random_tensor(5, 6, seed=1)
    rotation, _ = torch.linalg.qr(random_tensor(4, 4, seed=2))
    assert_close(teacher_term(0.1 * guided @ rotation, 7 * hint[:, [5, 3, 0, 1, 2, 4]]), teacher_term(guided, hint))


def test_a_layer_of_zeros_has_a_gradient() -> None:
    guided = torch.zeros(3, 4, requires_grad=True)
    teacher_term(guided, random_tensor(3, 6).float()).sum().backward()
    assert guided.grad is not None and guided.grad.isfinite().all()
