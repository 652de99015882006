"""Students of one teacher and the selector that learns whom to ask."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from trainables.methods.hinton import hinton
from trainables.methods.routed import routed
from trainables.output import Output


@pytest.mark.parametrize(("alpha", "weight"), [(0.0, 1.0), (0.6, 0.3), (1.0, 0.0)])
def test_routed_in_numpy(alpha: float, weight: float, some: Callable, softmax: Callable, surprise: Callable) -> None:
    case = some("routed")
    students, selector = (case.student.features[name].numpy() for name in ("students", "selector"))
    labels = case.labels.numpy()
    p, q = softmax(case.teacher.logits.numpy() / 4)[:, None], softmax(students / 4)
    hard = surprise(students, np.repeat(labels[:, None], 3, 1))
    wrong = np.abs(softmax(students) - np.eye(5)[labels][:, None]).sum(-1)  # the project's measure of a student's error
    taught = (alpha * 16 * (p * np.log(p / q)).sum(-1) + (1 - alpha) * hard).mean(-1)
    found = routed(*case, alpha=alpha, temperature=4.0, selector_weight=weight)
    np.testing.assert_allclose(found, taught + weight * surprise(selector, wrong.argmin(-1)))


def test_each_student_is_distilled_as_if_alone(some: Callable, gradients: Callable) -> None:
    case, knobs = some("routed"), {"alpha": 0.6, "temperature": 4.0}
    found = gradients("routed", case, **knobs)["students"]
    for i, logits in enumerate(case.student.features["students"].unbind(1)):
        alone = gradients("hinton", case._replace(student=Output(logits)), **knobs)["logits"]
        assert_close(found[:, i], alone / 3)


def test_without_a_teacher_the_students_learn_the_labels(some: Callable) -> None:
    case = some("routed")
    students = case.student.features["students"].unbind(1)
    hard = [cross_entropy(each, case.labels, reduction="none") for each in students]
    found = routed(*case, alpha=0.0, temperature=4.0, selector_weight=0.0)
    assert_close(found, torch.stack(hard).mean(0))


def test_the_choice_teaches_the_selector_alone(some: Callable, gradients: Callable) -> None:
    # Source 004 cut the graph: its selector learned nothing.
    one, two = (
        gradients("routed", some("routed"), alpha=0.6, temperature=4.0, selector_weight=weight) for weight in (1, 2)
    )
    assert_close(2 * one["selector"], two["selector"])
    assert one["selector"].abs().max() > 0.01
    assert torch.equal(one["students"], two["students"])


def test_of_equal_students_the_first_is_to_be_chosen(some: Callable) -> None:
    case = some("routed")
    logits, selector = case.student.features["students"][:, :1], case.student.features["selector"]
    student = Output(case.student.logits, {"students": logits.repeat(1, 3, 1), "selector": selector})
    found = routed(student, case.teacher, case.labels, alpha=0.6, temperature=4.0)
    first = cross_entropy(selector, torch.zeros_like(case.labels), reduction="none")
    plain = hinton(Output(logits[:, 0]), case.teacher, case.labels, alpha=0.6, temperature=4.0)
    assert_close(found, plain + first)


def test_the_logits_of_the_chosen_student_play_no_part(some: Callable, gradients: Callable) -> None:
    assert not gradients("routed", some("routed"), alpha=0.6, temperature=4.0)["logits"].any()
