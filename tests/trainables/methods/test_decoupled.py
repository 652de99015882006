"""Decoupled distillation, and plain distillation from the same parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from trainables.methods.decoupled import decoupled
from trainables.methods.hinton import hinton
from trainables.output import Output


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return (p * np.log(p / q)).sum(-1)


@pytest.mark.parametrize(("temperature", "beta"), [(1.0, 8.0), (4.0, 2.0), (16.0, 0.0)])
def test_decoupled_in_numpy(
    temperature: float, beta: float, random_case: Callable, softmax: Callable, numpy_cross_entropy: Callable
) -> None:
    case, rows = random_case(), np.arange(6)
    labels, logits = case.labels.numpy(), [case.teacher.logits.numpy(), case.student.logits.numpy()]
    p, q = (softmax(values / temperature) for values in logits)
    binary = [np.stack([values[rows, labels], 1 - values[rows, labels]], -1) for values in (p, q)]
    others_of_each = [
        np.stack([np.delete(row, label) for row, label in zip(values, labels, strict=True)]) for values in (p, q)
    ]
    rest = divergence(*(values / values.sum(-1, keepdims=True) for values in others_of_each))
    expected = 0.6 * temperature**2 * (divergence(*binary) + beta * rest) + 0.4 * numpy_cross_entropy(logits[1], labels)
    np.testing.assert_allclose(decoupled(*case, alpha=0.6, temperature=temperature, beta=beta), expected)


def test_plain_distillation_weighs_others_of_each_by_their_probability(random_case: Callable) -> None:
    # Zhao et al. 2022: KD = TCKD + (1 - the teacher's probability of the true class) * NCKD.
    case, knobs = random_case(), {"alpha": 1.0, "temperature": 4.0}
    target = decoupled(*case, **knobs, beta=0.0)
    others_of_each = decoupled(*case, **knobs, beta=1.0) - target
    target_probability = (case.teacher.logits / 4).softmax(-1).gather(-1, case.labels[:, None])[:, 0]
    assert_close(target + (1 - target_probability) * others_of_each, hinton(*case, **knobs))


def test_with_two_classes_it_is_plain_distillation(random_case: Callable) -> None:
    case, knobs = random_case(), {"alpha": 0.5, "temperature": 4.0}
    student, teacher, labels = Output(case.student.logits[:, :2]), Output(case.teacher.logits[:, :2]), case.labels % 2
    losses = decoupled(student, teacher, labels, beta=8.0, **knobs)
    assert_close(losses, hinton(student, teacher, labels, **knobs))
    assert torch.equal(losses, decoupled(student, teacher, labels, beta=0.0, **knobs))
