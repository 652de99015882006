"""Pooling of subclass logits, and entropies of subclasses."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from trainables.subclasses import pool_subclasses, prediction_entropy, utilization_entropy

COUNTS = st.lists(st.integers(1, 4), min_size=1, max_size=6)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=50)
@given(seed=st.integers(0, 99), counts=COUNTS)
def test_a_class_is_as_probable_as_its_subclasses_together(seed: int, counts: list[int]) -> None:
    logits = numbers(2, 3, sum(counts), seed=seed)
    parts = logits.softmax(-1).split(counts, dim=-1)
    assert_close(pool_subclasses(logits, counts).softmax(-1), torch.stack([part.sum(-1) for part in parts], -1))


def test_pooling_by_hand() -> None:
    # The sum of the logits, as in one of the assignment's solutions, would be 0 + 0 and 3.
    logits = torch.tensor([[0.0, 0.0, 1.0, 2.0]])
    assert_close(pool_subclasses(logits, [2, 2]), torch.tensor([[math.log(2), math.log(math.e + math.e**2)]]))


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_classes_of_one_subclass_keep_their_logits(scale: float) -> None:
    logits = scale * numbers(5, 7).float()
    assert torch.equal(pool_subclasses(logits, [1] * 7), logits)


def test_pooling_is_finite_at_extremes_and_has_a_gradient() -> None:
    logits = torch.tensor([[1e4, -1e4, -1e4, -1e4]], requires_grad=True)
    pooled = pool_subclasses(logits, [2, 2])
    assert_close(pooled, torch.tensor([[1e4, -1e4 + math.log(2)]]))
    pooled.sum().backward()
    assert_close(logits.grad, torch.tensor([[1.0, 0.0, 0.5, 0.5]]), rtol=1e-3, atol=0)  # ln 2 beside 1e4 in float32


def test_counts_must_add_up() -> None:
    with pytest.raises(ValueError, match=r"found 4 subclass logits, expected 5 for the counts \[2, 3\]"):
        pool_subclasses(torch.zeros(1, 4), [2, 3])


def test_entropies_by_hand() -> None:
    torn, sure = torch.zeros(3, 4), 1e4 * torch.eye(4)
    assert prediction_entropy(torn) == utilization_entropy(torn) == pytest.approx(2)
    assert prediction_entropy(sure) == 0 and utilization_entropy(sure) == pytest.approx(2)
    assert utilization_entropy(sure[[0, 0]]) == 0
    assert prediction_entropy(torch.tensor([[math.log(3), 0.0]])) == pytest.approx(2 - 0.75 * math.log2(3))
    assert utilization_entropy(sure[[0, 0, 0, 1]]) == pytest.approx(2 - 0.75 * math.log2(3))


@settings(max_examples=50)
@given(seed=st.integers(0, 99), examples=st.integers(1, 9), subclasses=st.integers(1, 9))
def test_subclasses_are_used_more_evenly_than_predicted(seed: int, examples: int, subclasses: int) -> None:
    logits = numbers(examples, subclasses, seed=seed)
    assert 0 <= prediction_entropy(logits) <= utilization_entropy(logits) + 1e-9
    assert utilization_entropy(logits) <= math.log2(subclasses) + 1e-9
