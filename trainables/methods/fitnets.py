"""Hints from a hidden layer, then distillation, after Romero et al. (2015), section 2."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from trainables.knobs import FirstStage, Fraction, Positive, StudentLayer, TeacherLayer
from trainables.methods.hinton import hinton
from trainables.methods.terms import exact
from trainables.output import Output, Progress


def fitnets(
    student: Output,
    teacher: Output,
    labels: Tensor,
    moment: Progress,
    *,
    alpha: Fraction,
    temperature: Positive,
    guided: StudentLayer,
    hint: TeacherLayer,
    hint_epochs: FirstStage,
    regressor: Literal["linear", "conv"] = "linear",
    decay: bool = True,
) -> Tensor:
    """Loss per example [batch] in two stages; `features["regressed"]` is what the regressor makes of `guided`.

    ½ · ‖hint − regressor(guided)‖² for hint_epochs, then
    alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − alpha) · CE(student, labels),
    with decay alpha falls linearly to 0

    The first is eq. 3 of Romero et al. 2015, summed over the units of an example. In the second the paper lowers the
    weight lambda of the teacher and has no T²; here alpha is lowered, from its full value in the first epoch of the
    second stage to 0 in the last. With alpha = 0 there is no teacher, and so no first stage.
    """
    if moment.epoch <= hint_epochs and alpha > 0:
        missed = exact(teacher.features[hint]).detach() - exact(student.features["regressed"])
        return 0.5 * missed.flatten(1).square().sum(-1)
    weight = alpha * _left(moment, hint_epochs) if decay else alpha
    return hinton(student, teacher, labels, alpha=weight, temperature=temperature)


def _left(moment: Progress, hint_epochs: int) -> float:
    """The part of the second stage that lies ahead: 1 in its first epoch, 0 in its last; 1 where it has only one."""
    return 1 - (moment.epoch - hint_epochs - 1) / max(1, moment.epochs - hint_epochs - 1)
