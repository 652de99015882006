"""Plain distillation in numpy, by hand, and in the limit of high temperatures."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy, log_softmax
from torch.testing import assert_close

from trainables.methods.hinton import hinton
from trainables.output import Output, Progress


@settings(max_examples=50)
@given(seed=st.integers(0, 999), alpha=st.floats(0, 1), temperature=st.floats(0.5, 64))
def test_hinton_in_numpy(
    seed: int, alpha: float, temperature: float, random_case: Callable, softmax: Callable, numpy_cross_entropy: Callable
) -> None:
    case = random_case(seed=seed)
    student, teacher, labels = (part.numpy() for part in (case.student.logits, case.teacher.logits, case.labels))
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    expected = alpha * temperature**2 * (p * np.log(p / q)).sum(-1) + (1 - alpha) * numpy_cross_entropy(student, labels)
    np.testing.assert_allclose(hinton(*case, alpha=alpha, temperature=temperature), expected, rtol=1e-9, atol=1e-9)


def test_hinton_by_hand() -> None:
    # At T = 2 the teacher has probabilities (3/4, 1/4), the student (1/2, 1/2): KL = ln 2 - H(1/4), CE = ln 2.
    student, teacher = Output(torch.zeros(1, 2)), Output(torch.tensor([[2 * math.log(3), 0.0]]))
    losses = hinton(student, teacher, torch.tensor([0]), alpha=0.25, temperature=2)
    assert losses.item() == pytest.approx(0.25 * 4 * 0.1308120 + 0.75 * 0.6931472, abs=1e-6)


@settings(max_examples=50)
@given(seed=st.integers(0, 99))
def test_hinton_matches_logits_at_high_temperature(seed: int, random_case: Callable, gradients: Callable) -> None:
    # Hinton et al. 2015, sec. 2.1, eq. 4: for zero-mean logits the gradient tends to (s - t) / classes.
    case = random_case(seed=seed)
    student, teacher = (output.logits - output.logits.mean(-1, keepdim=True) for output in (case.student, case.teacher))
    centered = case._replace(student=Output(student), teacher=Output(teacher))
    losses = gradients("hinton", centered, alpha=1.0, temperature=1e5)["logits"]
    assert_close(losses, (student - teacher) / 5, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 4.0, 64.0])
def test_hinton_with_cross_entropy_differs_by_the_entropy_of_the_teacher(
    temperature: float, random_case: Callable, gradients: Callable
) -> None:
    case = random_case()
    logits, teacher = case.student.logits.clone().requires_grad_(), case.teacher.logits / temperature
    soft_loss = temperature**2 * cross_entropy(logits / temperature, teacher.softmax(-1), reduction="none")
    entropy = -(teacher.softmax(-1) * log_softmax(teacher, dim=-1)).sum(-1)
    knobs = {"alpha": 1.0, "temperature": temperature}
    assert_close(soft_loss.detach() - temperature**2 * entropy, hinton(*case, **knobs))
    (expected,) = torch.autograd.grad(soft_loss.sum(), logits)
    assert_close(gradients("hinton", case, **knobs)["logits"], expected)


@pytest.mark.parametrize(
    ("path", "temperatures"), [("linear", [8, 6.25, 4.5, 2.75, 1]), ("cosine", [8, 6.97487, 4.5, 2.02513, 1])]
)
def test_the_temperature_changes_over_the_epochs(path: str, temperatures: list[float], random_case: Callable) -> None:
    case, knobs = random_case(), {"alpha": 0.7, "temperature": 8.0, "final_temperature": 1.0, "temperature_path": path}
    for epoch, temperature in enumerate(temperatures, 1):
        expected = hinton(*case, alpha=0.7, temperature=temperature)
        assert_close(hinton(*case, Progress(epoch, 5), **knobs), expected, rtol=1e-4, atol=1e-6)
