"""Distillation of relations, not of probabilities, from a stronger teacher, after Huang et al. (2022)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from trainables.knobs import Amount, Fraction, Positive
from trainables.output import Output


def dist(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: Fraction,
    temperature: Positive,
    beta: Amount = 1.0,
    gamma: Amount = 1.0,
) -> Tensor:
    """Loss per example [batch] from logits [batch, classes] and labels [batch].

    alpha · T² · (beta · (1 − r(classes)) + gamma · (1 − r(batch))) + (1 − alpha) · CE(student, labels), r the
    correlation of the student's and the teacher's softmax(· / T)

    Pearson's r is taken over the classes of each example, and over the examples for each class; the mean of the latter
    over the classes belongs to the whole batch and is added to every example (Huang et al. 2022). T² keeps the
    gradient's size; beta and gamma are those of their code.
    """
    told, taught = ((logits / temperature).softmax(-1) for logits in (student.logits, teacher.logits.detach()))
    relations = beta * (1 - _correlation(told, taught, -1)) + gamma * (1 - _correlation(told, taught, 0)).mean()
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * relations + (1 - alpha) * hard


def _correlation(some: Tensor, others: Tensor, dim: int) -> Tensor:
    """Pearson's correlation along a dimension; 0 where one of the two is constant."""
    first, second = (normalize(each - each.mean(dim, keepdim=True), dim=dim, eps=1e-8) for each in (some, others))
    return (first * second).sum(dim)
