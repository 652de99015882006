"""Distillation through a trained projector, batch normalization and a power."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import Amount, StudentLayer, TeacherLayer, TeacherWeight
from trainables.methods.regressors import linear_regressor
from trainables.methods.terms import at_least_float32
from trainables.output import Output

BATCH_NORM_FLOOR = 1e-4  # of the paper's code, added to the variance
DISTANCE_FLOOR = 1e-9  # so that equal activations have a finite logarithm


@declare(
    formula="alpha · beta · log Σ |BN(regressor(guided)) − BN(hint)|^power + (1 − alpha) · CE(student, labels), the "
    "sum over batch and units, BN the batch normalization without learned scale",
    paper="Miles & Mikolajczyk (2024), section 3",
    module=linear_regressor,
    stackable=True,
)
def projected(
    student: Output,
    teacher: Output,
    labels: Tensor,
    module: nn.Module,
    *,
    alpha: TeacherWeight,
    guided: StudentLayer,
    hint: TeacherLayer,
    beta: Amount = 1.0,
    power: Annotated[float, Field(ge=1)] = 4.0,
    regressor: Literal["linear", "conv"] = "linear",
) -> Tensor:
    """Projected distillation: match a layer through a regressor and batch normalization.

    All examples of a batch have the same teacher's term, the logarithm of one sum. The paper takes the pooled layers
    before the logits.

    Args:
        alpha: Weight of the teacher's term.
        guided: Student layer, the input of the regressor.
        hint: Teacher layer.
        beta: Factor of the distance.
        power: Power of the differences; the paper has 4.
        regressor: Trained layer from the guided layer to the hint.
    """
    own = _normalize_batch(at_least_float32(module(student.features[guided])))
    distance = (own - _normalize_batch(at_least_float32(teacher.features[hint].detach()))).abs()
    soft = (distance.pow(power).sum() + DISTANCE_FLOOR).log()
    return alpha * beta * soft + (1 - alpha) * cross_entropy(student.logits, labels, reduction="none")


def _normalize_batch(activations: Tensor) -> Tensor:
    """Activations with zero mean and unit variance over the batch.

    A channel of maps is normalized over batch and positions.
    """
    over = [dim for dim in range(activations.ndim) if dim != 1]
    centered = activations - activations.mean(over, keepdim=True)
    return centered * (centered.square().mean(over, keepdim=True) + BATCH_NORM_FLOOR).rsqrt()
