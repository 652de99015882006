"""Decoupled knowledge distillation: the true class apart from the others, after Zhao et al. (2022)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.knobs import Amount, Fraction, Positive
from trainables.methods.terms import divergence
from trainables.output import Output


def decoupled(
    student: Output, teacher: Output, labels: Tensor, *, alpha: Fraction, temperature: Positive, beta: Amount = 8.0
) -> Tensor:
    """Loss per example [batch] from logits [batch, classes] and labels [batch].

    alpha · T² · (KL(true class or another) + beta · KL(among the others)) + (1 − alpha) · CE(student, labels),
    KL from the teacher's softmax(· / T) to the student's

    TCKD + beta · NCKD of Zhao et al. 2022, the weight of the first in alpha, and without the warm-up of their code,
    whose beta is the default. Plain distillation has the teacher's probability of all others in place of beta.
    """
    told, taught = (_parts(output.logits, labels, temperature) for output in (student, teacher))
    target, others = (divergence(*pair) for pair in zip(told, taught, strict=True))
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * (target + beta * others) + (1 - alpha) * hard


def _parts(logits: Tensor, labels: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Logits [batch, 2] of the true class and of any other, and logits [batch, classes − 1] of the others."""
    classes = logits.shape[-1]
    from_label = (labels[:, None] + torch.arange(classes, device=labels.device)) % classes
    own, others = (logits.gather(-1, from_label) / temperature).split([1, classes - 1], dim=-1)
    return torch.cat([own, others.logsumexp(-1, keepdim=True)], dim=-1), others
