"""Training on labels only: baselines and teachers."""

from __future__ import annotations

from torch import Tensor

from trainables.declare import declare
from trainables.label_losses import LabelLoss, label_cross_entropy
from trainables.methods.routed import routed
from trainables.output import Output


@declare(formula="CE(student, labels)")
def none(
    student: Output, teacher: Output | None, labels: Tensor, label_loss: LabelLoss = label_cross_entropy
) -> Tensor:
    """Training on labels only: the baseline, and most teachers.

    With `train: {loss: mse}` the cross-entropy is replaced by the squared error of the probabilities.

    The students of a `routed` network and their selector are trained side by side, each on the labels: `routed` with
    alpha = 0.
    """
    if "students" in student.features:
        unused_teacher = Output(student.logits.detach())
        return routed(student, unused_teacher, labels, alpha=0.0, temperature=1.0)
    return label_loss(student.logits, labels)
