"""No distillation: the student baseline, and how teachers are taught."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.output import Output


def none(student: Output, teacher: Output | None, labels: Tensor) -> Tensor:
    """Loss per example [batch] from logits [batch, classes] and labels [batch]; there is no teacher.

    CE(student, labels)
    """
    return cross_entropy(student.logits, labels, reduction="none")
