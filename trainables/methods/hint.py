"""Hints in one stage, as in a student project on MNIST and MHIST (ECE1512, 2022)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.linalg import vector_norm
from torch.nn.functional import cross_entropy

from trainables.knobs import Fraction, StudentLayer, TeacherLayer
from trainables.methods.terms import exact
from trainables.output import Output


def hint(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: Fraction,
    guided: StudentLayer,
    hint: TeacherLayer,
    regressor: Literal["linear", "conv"] = "linear",
) -> Tensor:
    """Loss per example [batch] from a pair of layers; `features["regressed"]` is what the regressor makes of `guided`.

    alpha · ‖hint − regressor(guided)‖ + (1 − alpha) · CE(student, labels)

    The norm is of one example's differences. The project took one norm over the whole batch of n, which is √n times as
    large where all examples are equally far: its alpha of 0.8 with n = 256 is 64/65 here. It had no regressor but a
    student layer as wide as the teacher's.
    """
    missed = exact(teacher.features[hint]).detach() - exact(student.features["regressed"])
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * vector_norm(missed.flatten(1), dim=-1) + (1 - alpha) * hard
