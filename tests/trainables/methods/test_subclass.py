"""Distillation over subclasses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from trainables.methods.hinton import hinton
from trainables.methods.subclass import subclass
from trainables.output import Output
from trainables.subclasses import pool_subclasses


def pooled_output(logits: torch.Tensor, counts: list[int]) -> Output:
    """Output of a network with these numbers of subclasses."""
    return Output(pool_subclasses(logits, counts), {"subclasses": logits})


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_subclass_in_numpy(alpha: float, random_case: Callable, softmax: Callable) -> None:
    case, temperature = random_case(), 3.0
    student, teacher = (output.features["subclasses"].numpy() for output in (case.student, case.teacher))
    counts, labels = [1, 2, 3, 2, 2], case.labels.numpy()
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    classes = np.add.reduceat(softmax(student), np.cumsum([0, *counts[:-1]]), axis=-1)
    hard = -np.log(classes[np.arange(6), labels])
    expected = alpha * temperature**2 * (p * np.log(p / q)).sum(-1) + (1 - alpha) * hard
    pooled_student, pooled_teacher = (
        pooled_output(output.features["subclasses"], counts) for output in (case.student, case.teacher)
    )
    losses = subclass(pooled_student, pooled_teacher, case.labels, alpha=alpha, temperature=temperature)
    np.testing.assert_allclose(losses, expected)


def test_one_subclass_per_class_is_plain_distillation(random_case: Callable) -> None:
    case, knobs = random_case(), {"alpha": 0.4, "temperature": 3.0}
    expected = hinton(*case, **knobs)
    student, teacher = (pooled_output(output.logits, [1] * 5) for output in (case.student, case.teacher))
    assert torch.equal(subclass(student, teacher, case.labels, **knobs), expected)
    bare = Output(case.student.logits), Output(case.teacher.logits)
    assert torch.equal(subclass(*bare, case.labels, **knobs), expected)


def test_the_gradient_is_that_of_equation_3(random_case: Callable, gradients: Callable) -> None:
    case = random_case()
    logits = case.student.features["subclasses"].clone().requires_grad_()
    targets = (case.teacher.features["subclasses"] / 4).softmax(-1)
    (expected,) = torch.autograd.grad(16 * cross_entropy(logits / 4, targets, reduction="sum"), logits)
    assert_close(gradients("subclass", case, alpha=1.0, temperature=4.0)["subclasses"], expected)


def test_student_and_teacher_need_equal_numbers_of_subclasses(random_case: Callable) -> None:
    case = random_case()
    with pytest.raises(
        ValueError, match="found subclasses 5 of the student and 10 of the teacher, expected equal numbers"
    ):
        subclass(Output(case.student.logits), case.teacher, case.labels, alpha=0.5, temperature=4.0)
