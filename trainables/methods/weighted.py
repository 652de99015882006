"""Distillation with weighted soft labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import TeacherWeight, Temperature
from trainables.methods.terms import STANDARDIZE_CLAUSE, kl_divergence, logit_pair
from trainables.output import Output

SMALLEST_LOSS = 1e-7  # added to the teacher's loss, as in the paper's code


@declare(
    formula="alpha · w · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − alpha) · CE(student, labels), w = "
    "1 − exp(−CE(student, labels) / CE(teacher, labels)) without gradient",
    options={"standardize": STANDARDIZE_CLAUSE},
    paper="Zhou et al. (2021), arXiv:2102.00650",
    needs_labels=True,
)
def weighted(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    temperature: Temperature = 2.0,
    standardize: bool = False,
) -> Tensor:
    """Distillation with a weight per example (WSLD).

    The weight is near 0 where the student is better on the label than its teacher. The paper's code has a weight of 2.5
    for the teacher's term beside 1 for the labels, which is alpha = 5/7.

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of both softmaxes; the default is that of the paper's code.
        standardize: Give logits zero mean and unit variance first; the weights stay the same.
    """
    student_logits, teacher_logits = logit_pair(student, teacher, standardize)
    soft = kl_divergence(student_logits / temperature, teacher_logits / temperature)
    hard = cross_entropy(student.logits, labels, reduction="none")
    teacher_loss = cross_entropy(teacher.logits.detach(), labels, reduction="none")
    weight = -torch.expm1(-hard.detach() / (teacher_loss + SMALLEST_LOSS))
    return alpha * weight * temperature**2 * soft + (1 - alpha) * hard
