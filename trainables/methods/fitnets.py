"""FitNets: a stage of hints, then a stage of distillation."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from trainables.declare import declare
from trainables.knobs import FirstStage, StudentLayer, TeacherLayer, TeacherWeight, Temperature
from trainables.methods.hinton import hinton
from trainables.methods.regressors import layer_regressor
from trainables.methods.terms import at_least_float32
from trainables.output import Output, Progress


@declare(
    formula="½ · ‖hint − regressor(guided)‖² for hint_epochs, then "
    "alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − alpha) · CE(student, labels), "
    "with decay alpha falls linearly to 0",
    paper="Romero et al. (2015), section 2",
    module=layer_regressor,
    stackable=True,
)
def fitnets(
    student: Output,
    teacher: Output,
    labels: Tensor,
    progress: Progress,
    module: nn.Module,
    *,
    alpha: TeacherWeight,
    temperature: Temperature,
    guided: StudentLayer,
    hint: TeacherLayer,
    hint_epochs: FirstStage,
    regressor: Literal["linear", "conv"] = "linear",
    decay: bool = True,
) -> Tensor:
    """FitNets: hints from a hidden layer, then distillation.

    The first stage is eq. 3 of the paper, summed over the units of an example. In the second stage the paper lowers the
    teacher's weight lambda and has no T². Here alpha falls from its full value in the first epoch of the second stage
    to 0 in the last. With alpha = 0 there is no teacher, and so no first stage.

    Args:
        alpha: Weight of the teacher's term in the second stage.
        temperature: Temperature T of both softmaxes.
        guided: Student layer, the input of the regressor.
        hint: Teacher layer, the target of the regressor.
        hint_epochs: Epochs of the first stage; the optimizer starts afresh after it.
        regressor: Trained layer from the guided layer to the hint.
        decay: Lower alpha linearly to 0 over the second stage.
    """
    if progress.epoch <= hint_epochs and alpha > 0:
        regressed = at_least_float32(module(student.features[guided]))
        difference = at_least_float32(teacher.features[hint]).detach() - regressed
        return 0.5 * difference.flatten(1).square().sum(-1)
    weight = alpha * _teacher_decay(progress, hint_epochs) if decay else alpha
    return hinton(student, teacher, labels, alpha=weight, temperature=temperature)


def _teacher_decay(progress: Progress, hint_epochs: int) -> float:
    """Return the remaining fraction of the second stage.

    1 in its first epoch and 0 in its last; 1 if it has one epoch.
    """
    return 1 - (progress.epoch - hint_epochs - 1) / max(1, progress.epochs - hint_epochs - 1)
