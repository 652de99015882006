"""Variational information distillation between two layers."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from trainables.declare import declare
from trainables.knobs import Amount, Positive, StudentLayer, TeacherLayer, TeacherWeight
from trainables.methods.maps import PointwiseConvolution, as_maps, map_shape, match_maps
from trainables.methods.terms import at_least_float32
from trainables.observed_shapes import ObservedShapes
from trainables.output import Output

VARIANCE_MINIMUM = 1e-5  # of the benchmark of Tian et al. (2020)


class ChannelGaussian(nn.Module):
    """Gaussian of the teacher's channels, with learned mean and variance."""

    def __init__(self, shapes: ObservedShapes, *, guided: str, hint: str, variance: float) -> None:
        super().__init__()
        source, target = map_shape(shapes.student[guided])[0], map_shape(shapes.teacher[hint])[0]
        widths = (source, target, target, target)
        layers = [PointwiseConvolution(first, second, bias=False) for first, second in pairwise(widths)]
        self.mean = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
        remaining = max(variance - VARIANCE_MINIMUM, VARIANCE_MINIMUM)
        self.scale = nn.Parameter(torch.full((target, 1, 1), remaining + math.log(-math.expm1(-remaining))))

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return means [batch, channels, height, width] and variances [channels, 1, 1]."""
        return self.mean(maps), softplus(self.scale) + VARIANCE_MINIMUM


@declare(
    formula="alpha · beta · ½ · mean((hint − μ(guided))² / σ² + log σ²) + (1 − alpha) · CE(student, labels), μ a "
    "regressor, σ² learned for each channel from an initial variance",
    paper="Ahn, Hu, Damianou, Lawrence & Dai (2019), section 2",
    module=ChannelGaussian,
    stackable=True,
)
def variational(
    student: Output,
    teacher: Output,
    labels: Tensor,
    module: nn.Module,
    *,
    alpha: TeacherWeight,
    guided: StudentLayer,
    hint: TeacherLayer,
    beta: Amount = 1.0,
    variance: Positive = 5.0,
) -> Tensor:
    """Variational information distillation (VID): the likelihood of the teacher's layer.

    The mean is a network of three convolutions of one position, as in the benchmark of Tian et al. (2020). Takes
    activations [batch, channels, height, width]; [batch, units] are maps of one position. The larger map is averaged
    down to the size of the smaller one. The term may be negative.

    Args:
        alpha: Weight of the teacher's term.
        guided: Student layer, the input of the regressor.
        hint: Teacher layer.
        beta: Factor of the likelihood.
        variance: Variance of every channel at the start.
    """
    layers = student.features[guided], teacher.features[hint].detach()
    own, target = match_maps(*(as_maps(at_least_float32(layer)) for layer in layers))
    mean, spread = (at_least_float32(values) for values in module(own))
    soft = 0.5 * ((target - mean).square() / spread + spread.log()).flatten(1).mean(-1)
    return alpha * beta * soft + (1 - alpha) * cross_entropy(student.logits, labels, reduction="none")
