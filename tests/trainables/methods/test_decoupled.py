"""Decoupled distillation, and how plain distillation is made of the same parts."""

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
    temperature: float, beta: float, some: Callable, softmax: Callable, surprise: Callable
) -> None:
    case, rows = some(), np.arange(6)
    labels, logits = case.labels.numpy(), [case.teacher.logits.numpy(), case.student.logits.numpy()]
    p, q = (softmax(each / temperature) for each in logits)
    binary = [np.stack([each[rows, labels], 1 - each[rows, labels]], -1) for each in (p, q)]
    others = [np.stack([np.delete(row, label) for row, label in zip(each, labels, strict=True)]) for each in (p, q)]
    rest = divergence(*(each / each.sum(-1, keepdims=True) for each in others))
    expected = 0.6 * temperature**2 * (divergence(*binary) + beta * rest) + 0.4 * surprise(logits[1], labels)
    np.testing.assert_allclose(decoupled(*case, alpha=0.6, temperature=temperature, beta=beta), expected)


def test_plain_distillation_weighs_the_others_by_their_probability(some: Callable) -> None:
    # Zhao et al. 2022: KD = TCKD + (1 - the teacher's probability of the true class) * NCKD.
    case, knobs = some(), {"alpha": 1.0, "temperature": 4.0}
    target = decoupled(*case, **knobs, beta=0.0)
    others = decoupled(*case, **knobs, beta=1.0) - target
    known = (case.teacher.logits / 4).softmax(-1).gather(-1, case.labels[:, None])[:, 0]
    assert_close(target + (1 - known) * others, hinton(*case, **knobs))


def test_of_two_classes_nothing_is_left_but_plain_distillation(some: Callable) -> None:
    case, knobs = some(), {"alpha": 0.5, "temperature": 4.0}
    student, teacher, labels = Output(case.student.logits[:, :2]), Output(case.teacher.logits[:, :2]), case.labels % 2
    found = decoupled(student, teacher, labels, beta=8.0, **knobs)
    assert_close(found, hinton(student, teacher, labels, **knobs))
    assert torch.equal(found, decoupled(student, teacher, labels, beta=0.0, **knobs))
