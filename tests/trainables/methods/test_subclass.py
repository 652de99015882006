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


def of(logits: torch.Tensor, counts: list[int]) -> Output:
    """What a network of so many subclasses answers."""
    return Output(pool_subclasses(logits, counts), {"subclasses": logits})


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
def test_subclass_in_numpy(alpha: float, some: Callable, softmax: Callable) -> None:
    case, temperature = some(), 3.0
    student, teacher = (each.features["subclasses"].numpy() for each in (case.student, case.teacher))
    counts, labels = [1, 2, 3, 2, 2], case.labels.numpy()
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    classes = np.add.reduceat(softmax(student), np.cumsum([0, *counts[:-1]]), axis=-1)
    hard = -np.log(classes[np.arange(6), labels])
    expected = alpha * temperature**2 * (p * np.log(p / q)).sum(-1) + (1 - alpha) * hard
    pupil, master = (of(each.features["subclasses"], counts) for each in (case.student, case.teacher))
    found = subclass(pupil, master, case.labels, alpha=alpha, temperature=temperature)
    np.testing.assert_allclose(found, expected)


def test_one_subclass_per_class_is_plain_distillation(some: Callable) -> None:
    case, knobs = some(), {"alpha": 0.4, "temperature": 3.0}
    expected = hinton(*case, **knobs)
    student, teacher = (of(each.logits, [1] * 5) for each in (case.student, case.teacher))
    assert torch.equal(subclass(student, teacher, case.labels, **knobs), expected)
    bare = Output(case.student.logits), Output(case.teacher.logits)
    assert torch.equal(subclass(*bare, case.labels, **knobs), expected)


def test_the_gradient_is_that_of_equation_3(some: Callable, gradients: Callable) -> None:
    case = some()
    logits = case.student.features["subclasses"].clone().requires_grad_()
    targets = (case.teacher.features["subclasses"] / 4).softmax(-1)
    (expected,) = torch.autograd.grad(16 * cross_entropy(logits / 4, targets, reduction="sum"), logits)
    assert_close(gradients("subclass", case, alpha=1.0, temperature=4.0)["subclasses"], expected)


def test_student_and_teacher_must_tell_as_many_subclasses_apart(some: Callable) -> None:
    case = some()
    with pytest.raises(ValueError, match="found subclasses 5 of the student and 10 of the teacher, expected equal numbers"):
        subclass(Output(case.student.logits), case.teacher, case.labels, alpha=0.5, temperature=4.0)
