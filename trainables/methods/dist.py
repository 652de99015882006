"""Distillation by correlations, for stronger teachers."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from trainables.declare import declare
from trainables.knobs import Amount, TeacherWeight, Temperature
from trainables.methods.terms import STANDARDIZE_CLAUSE, logit_pair
from trainables.output import Output


@declare(
    formula="alpha · T² · (beta · (1 − r(classes)) + gamma · (1 − r(batch))) + (1 − alpha) · CE(student, labels), r "
    "the correlation of the student's and the teacher's softmax(· / T)",
    options={"standardize": STANDARDIZE_CLAUSE},
    paper="Huang et al. (2022)",
)
def dist(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    temperature: Temperature,
    beta: Amount = 1.0,
    gamma: Amount = 1.0,
    standardize: bool = False,
) -> Tensor:
    """Distillation of correlations instead of probabilities (DIST).

    Pearson's r is taken over the classes of each example, and over the examples for each class. The mean of the latter
    over the classes belongs to the whole batch and is added to every example. T² keeps the size of the gradient.

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of both softmaxes.
        beta: Weight of the correlation over classes; the default is that of the paper's code.
        gamma: Weight of the correlation over the batch; the default is that of the paper's code.
        standardize: Give logits zero mean and unit variance first.
    """
    p, q = ((logits / temperature).softmax(-1) for logits in logit_pair(student, teacher, standardize))
    relations = beta * (1 - _pearson_correlation(p, q, -1)) + gamma * (1 - _pearson_correlation(p, q, 0)).mean()
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * relations + (1 - alpha) * hard


def _pearson_correlation(x: Tensor, y: Tensor, dim: int) -> Tensor:
    """Pearson's correlation along a dimension; 0 for constant input."""
    first, second = (normalize(z - z.mean(dim, keepdim=True), dim=dim, eps=1e-8) for z in (x, y))
    return (first * second).sum(dim)
