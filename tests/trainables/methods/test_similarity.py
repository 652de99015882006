"""Similarities between the examples of a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from trainables.methods.similarity import similarity
from trainables.output import Output


def term(guided: Tensor, hint: Tensor, gamma: float = 1.0) -> Tensor:
    """The teacher's term alone."""
    logits, labels = torch.zeros(len(guided), 2), torch.zeros(len(guided), dtype=torch.long)
    student, teacher = Output(logits, {"layer": guided}), Output(logits, {"layer": hint})
    return similarity(student, teacher, labels, alpha=1.0, guided="layer", hint="layer", gamma=gamma)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shapes", [((4, 3), (4, 3)), ((4, 3), (4, 7)), ((4, 2, 3, 3), (4, 5))])
def test_similarity_in_numpy(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    layers = [numbers(*shape, seed=seed) for seed, shape in enumerate(shapes)]
    products = [points @ points.T for points in (each.reshape(4, -1).numpy() for each in layers)]
    told, taught = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in products)
    found = term(layers[0], layers[1], gamma=3000.0)
    np.testing.assert_allclose(found, 3000 * ((told - taught) ** 2).mean(1))
    assert found.mean().item() == pytest.approx(3000 / 4**2 * np.linalg.norm(told - taught) ** 2)  # eq. 4 of the paper


def test_similarity_by_hand() -> None:
    # Products of the student's (3, 0) and (0, 1) are the identity's rows; of the teacher's equal ones, (1, 1) / sqrt 2.
    found = term(torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0], [2.0]]))
    assert_close(found, torch.full((2,), (0.5 + (1 - 0.5**0.5) ** 2) / 2))


def test_neither_the_scale_of_a_layer_counts_nor_which_unit_says_what() -> None:
    guided, hint = numbers(5, 4), numbers(5, 6, seed=1)
    turned, _ = torch.linalg.qr(numbers(4, 4, seed=2))
    assert_close(term(0.1 * guided @ turned, 7 * hint[:, [5, 3, 0, 1, 2, 4]]), term(guided, hint))


def test_a_layer_that_says_nothing_has_a_gradient() -> None:
    guided = torch.zeros(3, 4, requires_grad=True)
    term(guided, numbers(3, 6).float()).sum().backward()
    assert guided.grad is not None and guided.grad.isfinite().all()
