"""The contrastive loss for teachers with subclasses."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from trainables.methods.contrast import subclass_contrast
from trainables.methods.none import none
from trainables.output import Output


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_mean_is_equation_8_in_numpy(
    temperature: float, random_case: Callable, numpy_cross_entropy: Callable
) -> None:
    case = random_case()
    logits = case.student.features["subclasses"].numpy()
    v = (logits - logits.mean(-1, keepdims=True)) / logits.std(-1, keepdims=True)
    similarity = np.exp(v @ v.T / (temperature * logits.shape[-1])).sum(-1)
    auxiliary = np.log(similarity).mean() - 1 / temperature - math.log(6)
    expected = numpy_cross_entropy(case.student.logits.numpy(), case.labels.numpy()).mean() + 0.3 * auxiliary
    losses = subclass_contrast(case.student, None, case.labels, beta=0.3, temperature=temperature).mean()
    assert losses.item() == pytest.approx(expected)


def test_by_hand() -> None:
    # Two opposite examples: log((e^(1/T) + e^(-1/T)) / 2) - 1/T, with T = 2.
    student = Output(torch.zeros(2, 2), {"subclasses": torch.tensor([[1.0, -1, 3, -3], [-1, 1, -3, 3]])})
    losses = subclass_contrast(student, None, torch.tensor([0, 1]), beta=1.0, temperature=2.0)
    assert_close(losses, torch.full((2,), math.log(2) + math.log((1 + math.exp(-1)) / 2)))


def test_equal_examples_add_nothing_and_different_ones_subtract(random_case: Callable) -> None:
    case = random_case()
    same = case.rows([2] * 6)
    assert_close(subclass_contrast(*same, beta=3.0, temperature=1.0), none(*same))
    assert (subclass_contrast(*case, beta=3.0, temperature=1.0) < none(*case)).all()


def test_the_size_of_the_logits_is_ignored(random_case: Callable) -> None:
    case = random_case()
    features = {"subclasses": 100 * case.student.features["subclasses"] + 7}
    larger = subclass_contrast(Output(case.student.logits, features), None, case.labels, beta=1.0, temperature=1.0)
    assert_close(larger, subclass_contrast(*case, beta=1.0, temperature=1.0))


def test_its_gradient_separates_the_examples(random_case: Callable, gradients: Callable) -> None:
    # The student project 001 computed it in numpy, without a gradient: it had no effect.
    case = random_case()
    slope = gradients("contrast", case, beta=1.0, temperature=1.0)["subclasses"]
    features = {"subclasses": case.student.features["subclasses"] - slope}
    lower = subclass_contrast(Output(case.student.logits, features), None, case.labels, beta=1.0, temperature=1.0)
    assert lower.mean() < subclass_contrast(*case, beta=1.0, temperature=1.0).mean()
