"""Relations between classes and between examples, as correlations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.methods.dist import dist
from trainables.methods.none import none
from trainables.output import Output


@pytest.mark.parametrize(("temperature", "beta", "gamma"), [(1.0, 1.0, 1.0), (4.0, 2.0, 0.5), (4.0, 0.0, 3.0)])
def test_dist_in_numpy(
    temperature: float,
    beta: float,
    gamma: float,
    random_case: Callable,
    softmax: Callable,
    numpy_cross_entropy: Callable,
) -> None:
    case = random_case()
    student, teacher = case.student.logits.numpy(), case.teacher.logits.numpy()
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    inter = np.array([1 - np.corrcoef(p[i], q[i])[0, 1] for i in range(6)])
    intra = np.mean([1 - np.corrcoef(p[:, j], q[:, j])[0, 1] for j in range(5)])
    hard = numpy_cross_entropy(student, case.labels.numpy())
    expected = 0.6 * temperature**2 * (beta * inter + gamma * intra) + 0.4 * hard
    losses = dist(*case, alpha=0.6, temperature=temperature, beta=beta, gamma=gamma)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)


def test_opposite_outputs_by_hand() -> None:
    logits = torch.tensor([[1.0, -1], [-1, 1]])
    losses = dist(
        Output(logits), Output(-logits), torch.tensor([0, 1]), alpha=1.0, temperature=3.0, beta=5.0, gamma=7.0
    )
    np.testing.assert_allclose(losses, [9 * (5 + 7) * 2] * 2, rtol=1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 99))
def test_the_confidence_of_the_teacher_is_ignored(seed: int, random_case: Callable) -> None:
    # Huang et al. 2022: a student half as far from uniform as its teacher keeps all relations.
    case = random_case(seed=seed)
    student = (0.5 * case.teacher.logits.softmax(-1) + 0.5 / 5).log()
    losses = dist(Output(student), case.teacher, case.labels, alpha=1.0, temperature=1.0)
    assert losses.abs().max() < 1e-6


def test_a_constant_class_has_no_correlation() -> None:
    same = Output(torch.zeros(3, 4))
    losses = dist(same, same, torch.tensor([0, 1, 2]), alpha=0.5, temperature=1.0, beta=1.0, gamma=1.0)
    np.testing.assert_allclose(losses, 0.5 * 2 + 0.5 * none(same, None, torch.tensor([0, 1, 2])))
