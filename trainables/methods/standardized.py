"""Distillation of standardized logits, after Sun et al. (2024)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.knobs import Fraction, Positive
from trainables.methods.terms import divergence, standard
from trainables.output import Output


def standardized(student: Output, teacher: Output, labels: Tensor, *, alpha: Fraction, temperature: Positive) -> Tensor:
    """Loss per example [batch] from logits [batch, classes] and labels [batch].

    alpha · T² · KL(softmax(Z(teacher) / T) ‖ softmax(Z(student) / T)) + (1 − alpha) · CE(student, labels), Z the
    logits of an example with zero mean and unit variance

    Sun et al. 2024, algorithms 1 and 2: the student need not have logits as large as the teacher's. The variance is
    that of the classes at hand, divided by their number.
    """
    soft = divergence(standard(student.logits) / temperature, standard(teacher.logits) / temperature)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * soft + (1 - alpha) * hard
