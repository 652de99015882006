"""Distillation of standardized logits."""

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
def test_standardized_in_numpy(
    temperature: float, random_case: Callable, softmax: Callable, numpy_cross_entropy: Callable
) -> None:
    case = random_case()
    logits = [values.logits.numpy() for values in (case.teacher, case.student)]
    scores = [(values - values.mean(-1, keepdims=True)) / values.std(-1, keepdims=True) for values in logits]
    p, q = (softmax(values / temperature) for values in scores)
    hard = numpy_cross_entropy(logits[1], case.labels.numpy())
    expected = 0.6 * temperature**2 * (p * np.log(p / q)).sum(-1) + 0.4 * hard
    np.testing.assert_allclose(standardized(*case, alpha=0.6, temperature=temperature), expected, rtol=1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 99), scale=st.floats(0.1, 100), shift=st.floats(-100, 100))
def test_the_size_of_the_logits_is_ignored(seed: int, scale: float, shift: float, random_case: Callable) -> None:
    case = random_case(seed=seed)
    larger = case._replace(student=Output(scale * case.student.logits + shift))
    values = {"alpha": 1.0, "temperature": 2.0}
    assert_close(standardized(*larger, **values), standardized(*case, **values), rtol=1e-5, atol=1e-6)
