"""Distillation of standardized logits."""

from __future__ import annotations

from torch import Tensor

from trainables.declare import declare
from trainables.knobs import TeacherWeight, Temperature
from trainables.methods.hinton import hinton
from trainables.output import Output


@declare(
    formula="alpha · T² · KL(softmax(Z(teacher) / T) ‖ softmax(Z(student) / T)) + (1 − alpha) · CE(student, labels), Z "
    "the logits of an example with zero mean and unit variance",
    paper="Sun et al. (2024)",
)
def standardized(
    student: Output, teacher: Output, labels: Tensor, *, alpha: TeacherWeight, temperature: Temperature
) -> Tensor:
    """Distillation of standardized logits.

    It is `hinton` with `standardize: true`, a knob of other methods, too. Algorithms 1 and 2 of the paper: the
    student's logits may differ in size from the teacher's. The variance is that of the classes present, divided by
    their number.

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of both softmaxes.
    """
    return hinton(student, teacher, labels, alpha=alpha, temperature=temperature, standardize=True)
