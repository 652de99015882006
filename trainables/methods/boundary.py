"""Activation boundaries of a hidden layer, then distillation."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from trainables.declare import declare
from trainables.knobs import FirstStage, Positive, StudentLayer, TeacherLayer, TeacherWeight, Temperature
from trainables.methods.hinton import hinton
from trainables.methods.regressors import linear_regressor
from trainables.methods.terms import at_least_float32
from trainables.observed_shapes import ObservedShapes
from trainables.output import Output, Progress


def connector(shapes: ObservedShapes, *, guided: str, hint: str, regressor: str) -> nn.Module:
    """Return a regressor with batch normalization, in training mode only."""
    target = shapes.teacher[hint]
    kind = nn.BatchNorm2d if len(target) == 3 else nn.BatchNorm1d
    linear = linear_regressor(shapes, guided=guided, hint=hint, regressor=regressor)
    return nn.Sequential(linear, kind(target[0], track_running_stats=False))


@declare(
    formula="Σ max(0, margin − BN(regressor(guided)) · sign(hint))² for hint_epochs, then "
    "alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − alpha) · CE(student, labels)",
    paper="Heo, Lee, Yun & Choi (2019), section 3",
    module=connector,
    stackable=True,
)
def boundary(
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
    margin: Positive = 1.0,
    regressor: Literal["linear", "conv"] = "linear",
) -> Tensor:
    """Activation boundaries (AB): match the signs of a layer, then distillation.

    The first stage is eq. 5 of the paper, summed over the units of an example. The paper takes several layers before
    their ReLU, here it is one; a ReLU of the teacher leaves its boundary at 0. With alpha = 0 there is no teacher, and
    so no first stage.

    Args:
        alpha: Weight of the teacher's term in the second stage.
        temperature: Temperature T of both softmaxes.
        guided: Student layer, the input of the connector.
        hint: Teacher layer; its units are active above 0.
        hint_epochs: Epochs of the first stage; the optimizer starts afresh after it.
        margin: Distance from the boundary at which the loss is 0.
        regressor: Trained layer of the connector, before its batch normalization.
    """
    if progress.epoch > hint_epochs or alpha == 0:
        return hinton(student, teacher, labels, alpha=alpha, temperature=temperature)
    own = at_least_float32(module(student.features[guided]))
    active = teacher.features[hint].detach() > 0
    return (margin - torch.where(active, own, -own)).relu().square().flatten(1).sum(-1)
