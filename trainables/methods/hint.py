"""Hints and labels in one stage."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import StudentLayer, TeacherLayer, TeacherWeight
from trainables.methods.regressors import layer_regressor
from trainables.methods.terms import at_least_float32
from trainables.output import Output


@declare(
    formula="alpha · ‖hint − regressor(guided)‖ + (1 − alpha) · CE(student, labels)",
    module=layer_regressor,
    stackable=True,
)
def hint(
    student: Output,
    teacher: Output,
    labels: Tensor,
    module: nn.Module,
    *,
    alpha: TeacherWeight,
    guided: StudentLayer,
    hint: TeacherLayer,
    regressor: Literal["linear", "conv"] = "linear",
) -> Tensor:
    """Hints and labels in one stage, without distillation.

    From a student project on MNIST and MHIST (ECE1512, 2022). The norm is that of one example. The project
    took one norm over the whole batch of n, √n times as large if all examples have the same distance: its alpha of 0.8
    with n = 256 is 64/65 here. It had no regressor but a student layer as wide as the teacher's.

    Args:
        alpha: Weight of the teacher's term.
        guided: Student layer, the input of the regressor.
        hint: Teacher layer, the target of the regressor.
        regressor: Trained layer from the guided layer to the hint.
    """
    difference = at_least_float32(teacher.features[hint]).detach() - at_least_float32(module(student.features[guided]))
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * vector_norm(difference.flatten(1), dim=-1) + (1 - alpha) * hard
