"""Students of one teacher, and a selector that learns whom to ask, after a student project on CIFAR-10 (2020)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.knobs import Amount, Fraction, Positive
from trainables.methods.terms import divergence, exact
from trainables.output import Output


def routed(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: Fraction,
    temperature: Positive,
    selector_weight: Amount = 1.0,
) -> Tensor:
    """Loss per example [batch] from `features`: "students" [batch, students, classes], "selector" [batch, students].

    mean over students of (alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − alpha) · CE(student,
    labels)) + selector_weight · CE(selector, best student)

    The best student gives the true class the highest probability, which is the project's smallest absolute error; of
    equals it is the first. That choice is no function to be differentiated, so the last term teaches the selector
    alone. With alpha = 0 all students and the selector learn from the labels, as `none` teaches them.
    """
    students, selector = (exact(student.features[name]) for name in ("students", "selector"))
    soft = divergence(students / temperature, teacher.logits[:, None] / temperature)
    hard = cross_entropy(students.mT, labels[:, None].expand_as(selector), reduction="none")
    choice = cross_entropy(selector, hard.detach().argmin(-1), reduction="none")
    return (alpha * temperature**2 * soft + (1 - alpha) * hard).mean(-1) + selector_weight * choice
