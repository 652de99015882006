"""Distillation of logits that are standardized first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from trainables.methods.standardized import standardized
from trainables.output import Output


@pytest.mark.parametrize("temperature", [1.0, 2.0, 8.0])
def test_standardised_in_numpy(temperature: float, some: Callable, softmax: Callable, surprise: Callable) -> None:
    case = some()
    logits = [each.logits.numpy() for each in (case.teacher, case.student)]
    scores = [(each - each.mean(-1, keepdims=True)) / each.std(-1, keepdims=True) for each in logits]
    p, q = (softmax(each / temperature) for each in scores)
    hard = surprise(logits[1], case.labels.numpy())
    expected = 0.6 * temperature**2 * (p * np.log(p / q)).sum(-1) + 0.4 * hard
    np.testing.assert_allclose(standardized(*case, alpha=0.6, temperature=temperature), expected, rtol=1e-6)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), scale=st.floats(0.1, 100), shift=st.floats(-100, 100))
def test_the_teacher_asks_for_no_size_of_logits(seed: int, scale: float, shift: float, some: Callable) -> None:
    case = some(seed=seed)
    larger = case._replace(student=Output(scale * case.student.logits + shift))
    values = {"alpha": 1.0, "temperature": 2.0}
    assert_close(standardized(*larger, **values), standardized(*case, **values), rtol=1e-5, atol=1e-6)
