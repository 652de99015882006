"""Decoupled knowledge distillation."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import Amount, TeacherWeight, Temperature
from trainables.methods.terms import (
    STANDARDIZE_CLAUSE,
    kl_divergence,
    logit_pair,
    split_target,
    target_against_others,
)
from trainables.output import Output


@declare(
    formula="alpha · T² · (KL(true class or another) + beta · KL(among the others)) + (1 − alpha) · CE(student, "
    "labels), KL from the teacher's softmax(· / T) to the student's",
    options={"standardize": STANDARDIZE_CLAUSE},
    paper="Zhao et al. (2022)",
    needs_labels=True,
)
def decoupled(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    temperature: Temperature,
    beta: Amount = 8.0,
    standardize: bool = False,
) -> Tensor:
    """Decoupled distillation: true class and other classes apart.

    TCKD + beta · NCKD of the paper, with the weight of TCKD in alpha, and without the warm-up of the paper's code.
    Plain distillation has the teacher's probability of all other classes in place of beta.

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of both softmaxes.
        beta: Weight of the divergence among the other classes; the default is that of the paper's code.
        standardize: Give logits zero mean and unit variance first.
    """
    student_parts, teacher_parts = (
        split_target(logits / temperature, labels) for logits in logit_pair(student, teacher, standardize)
    )
    target = kl_divergence(target_against_others(*student_parts), target_against_others(*teacher_parts))
    rest = kl_divergence(student_parts[1], teacher_parts[1])
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * (target + beta * rest) + (1 - alpha) * hard
