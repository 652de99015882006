"""Regressors: trained maps from a student's layer to a teacher's."""

from __future__ import annotations

import torch
from torch import nn

from trainables.models.weight_init import glorot_init
from trainables.observed_shapes import LayersError, ObservedShapes


def layer_regressor(shapes: ObservedShapes, *, guided: str, hint: str, regressor: str = "linear") -> nn.Module:
    """Return a trained map from the guided layer to the hint.

    Of Romero et al. (2015), section 2.2. Kind `linear` is one matrix. Kind `conv` is a convolution without padding; the
    difference of the sizes gives its kernel. Both end in a ReLU if the hint is rectified. Raises LayersError if no such
    convolution exists.
    """
    linear = linear_regressor(shapes, guided=guided, hint=hint, regressor=regressor)
    return nn.Sequential(linear, nn.ReLU()) if hint in shapes.rectified else linear


def linear_regressor(shapes: ObservedShapes, *, guided: str, hint: str, regressor: str = "linear") -> nn.Module:
    """Return a regressor without a ReLU at its end."""
    source, target = shapes.student[guided], shapes.teacher[hint]
    layers = _convolution(source, target) if regressor == "conv" else _matrix(source, target)
    return glorot_init(nn.Sequential(*layers))


def _matrix(source: torch.Size, target: torch.Size) -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(source.numel(), target.numel()), nn.Unflatten(1, target)]


def _convolution(source: torch.Size, target: torch.Size) -> list[nn.Module]:
    if len(source) != 3 or len(target) != 3:
        message = f"a conv regressor maps [channels, height, width]; found {[*source]} and {[*target]}"
        raise LayersError("regressor", message)
    kernel = [size - end + 1 for size, end in zip(source[1:], target[1:], strict=True)]  # no padding: Romero et al.
    if min(kernel) < 1:
        message = f"a conv regressor cannot enlarge {[*source]} to {[*target]}; use regressor: linear"
        raise LayersError("regressor", message)
    return [nn.Conv2d(source[0], target[0], (kernel[0], kernel[1]))]
