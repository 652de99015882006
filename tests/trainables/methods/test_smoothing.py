"""Label smoothing: soft targets without a teacher."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot
from torch.testing import assert_close

from trainables.methods.smoothing import smoothing
from trainables.output import Output


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
def test_smoothing_is_that_of_torch(alpha: float, random_case: Callable) -> None:
    case = random_case()
    expected = cross_entropy(case.student.logits, case.labels, reduction="none", label_smoothing=alpha)
    assert_close(smoothing(case.student, None, case.labels, alpha=alpha), expected)


def test_smoothing_is_minimal_at_the_smoothed_label(random_case: Callable, gradients: Callable) -> None:
    case = random_case()
    targets = 0.7 * one_hot(case.labels, 5).double() + 0.3 / 5
    slopes = gradients("smoothing", case._replace(student=Output(targets.log())), alpha=0.3)
    assert_close(slopes["logits"], torch.zeros(6, 5, dtype=torch.float64))
