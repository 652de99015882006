"""Decoupled knowledge distillation."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import Amount, TeacherWeight, Temperature
from trainables.methods.terms import kl_divergence
from trainables.output import Output


@declare(
    formula="alpha · T² · (KL(true class or another) + beta · KL(among the others)) + (1 − alpha) · CE(student, "
    "labels), KL from the teacher's softmax(· / T) to the student's",
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
) -> Tensor:
    """Decoupled distillation: true class and other classes apart.

    TCKD + beta · NCKD of the paper, with the weight of TCKD in alpha, and without the warm-up of the paper's code.
    Plain distillation has the teacher's probability of all other classes in place of beta.

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of both softmaxes.
        beta: Weight of the divergence among the other classes; the default is that of the paper's code.
    """
    student_parts = _target_and_other_logits(student.logits, labels, temperature)
    teacher_parts = _target_and_other_logits(teacher.logits, labels, temperature)
    target, rest = (kl_divergence(*pair) for pair in zip(student_parts, teacher_parts, strict=True))
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * (target + beta * rest) + (1 - alpha) * hard


def _target_and_other_logits(logits: Tensor, labels: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Split logits into true class against rest, and the rest.

    Returns [batch, 2] of the true class and of any other, and [batch, classes − 1] of the other classes.
    """
    classes = logits.shape[-1]
    from_label = (labels[:, None] + torch.arange(classes, device=labels.device)) % classes
    target, rest = (logits.gather(-1, from_label) / temperature).split([1, classes - 1], dim=-1)
    return torch.cat([target, rest.logsumexp(-1, keepdim=True)], dim=-1), rest
