"""Students of one teacher, and their selector."""

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
def test_routed_in_numpy(
    alpha: float, weight: float, random_case: Callable, softmax: Callable, numpy_cross_entropy: Callable
) -> None:
    case = random_case("routed")
    students, selector = (case.student.features[name].numpy() for name in ("students", "selector"))
    labels = case.labels.numpy()
    p, q = softmax(case.teacher.logits.numpy() / 4)[:, None], softmax(students / 4)
    hard = numpy_cross_entropy(students, np.repeat(labels[:, None], 3, 1))
    errors = np.abs(softmax(students) - np.eye(5)[labels][:, None]).sum(-1)  # the project's measure of error
    student_losses = (alpha * 16 * (p * np.log(p / q)).sum(-1) + (1 - alpha) * hard).mean(-1)
    losses = routed(*case, alpha=alpha, temperature=4.0, selector_weight=weight)
    np.testing.assert_allclose(losses, student_losses + weight * numpy_cross_entropy(selector, errors.argmin(-1)))


def test_each_student_has_the_gradient_of_separate_distillation(random_case: Callable, gradients: Callable) -> None:
    case, knobs = random_case("routed"), {"alpha": 0.6, "temperature": 4.0}
    losses = gradients("routed", case, **knobs)["students"]
    for i, logits in enumerate(case.student.features["students"].unbind(1)):
        separate = gradients("hinton", case._replace(student=Output(logits)), **knobs)["logits"]
        assert_close(losses[:, i], separate / 3)


def test_without_a_teacher_students_are_trained_on_labels(random_case: Callable) -> None:
    case = random_case("routed")
    students = case.student.features["students"].unbind(1)
    hard = [cross_entropy(student_logits, case.labels, reduction="none") for student_logits in students]
    losses = routed(*case, alpha=0.0, temperature=4.0, selector_weight=0.0)
    assert_close(losses, torch.stack(hard).mean(0))


def test_the_selector_term_trains_the_selector_only(random_case: Callable, gradients: Callable) -> None:
    # The student project 004 cut the graph: its selector was not trained.
    first, second = (
        gradients("routed", random_case("routed"), alpha=0.6, temperature=4.0, selector_weight=weight)
        for weight in (1, 2)
    )
    assert_close(2 * first["selector"], second["selector"])
    assert first["selector"].abs().max() > 0.01
    assert torch.equal(first["students"], second["students"])


def test_the_first_of_equal_students_is_the_best(random_case: Callable) -> None:
    case = random_case("routed")
    logits, selector = case.student.features["students"][:, :1], case.student.features["selector"]
    student = Output(case.student.logits, {"students": logits.repeat(1, 3, 1), "selector": selector})
    losses = routed(student, case.teacher, case.labels, alpha=0.6, temperature=4.0)
    first = cross_entropy(selector, torch.zeros_like(case.labels), reduction="none")
    plain = hinton(Output(logits[:, 0]), case.teacher, case.labels, alpha=0.6, temperature=4.0)
    assert_close(losses, plain + first)


def test_the_logits_of_the_selected_student_are_ignored(random_case: Callable, gradients: Callable) -> None:
    assert not gradients("routed", random_case("routed"), alpha=0.6, temperature=4.0)["logits"].any()
