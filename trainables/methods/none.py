"""No distillation: the student baseline, and how teachers are taught."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.methods.routed import routed
from trainables.output import Output


def none(student: Output, teacher: Output | None, labels: Tensor) -> Tensor:
    """Loss per example [batch] from logits [batch, classes] and labels [batch]; there is no teacher.

    CE(student, labels)

    The students of a bundle and their selector learn side by side, each from the labels: `routed` with alpha = 0.
    """
    if "students" in student.features:
        nobody = Output(student.logits.detach())
        return routed(student, nobody, labels, alpha=0.0, temperature=1.0)
    return cross_entropy(student.logits, labels, reduction="none")
