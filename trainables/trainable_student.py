"""A student network with the regressor of its method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spaces.recipe import Recipe
from trainables.channels_last import to_channels_last
from trainables.data import Dataset
from trainables.hints import method_regressor
from trainables.models import build_network
from trainables.output import Output, forward_with_layers


class TrainableStudent(NamedTuple):
    """A student network, and the regressor of a method with hints."""

    model: nn.Module
    regressor: nn.Module | None

    def module(self) -> nn.Module:
        """Return both as one module."""
        return self.model if self.regressor is None else nn.ModuleList([self.model, self.regressor])


def build_student(recipe: Recipe, data: Dataset, device: torch.device) -> TrainableStudent:
    """Build an untrained student on a device, initialized by its seed."""
    model = build_network(recipe.network, data.shape, len(data.classes), recipe.seed)
    to_channels_last(model.to(device))
    regressor = method_regressor(recipe, data)
    return TrainableStudent(model, None if regressor is None else regressor.to(device))


def student_output(student: TrainableStudent, inputs: Tensor, layers: Sequence[str]) -> Output:
    """Return a student's output for prepared images, with the activations of `layers`.

    A regressor maps the first of these layers; its output is `features["regressed"]`.
    """
    output = forward_with_layers(student.model, inputs, layers)
    features = dict(output.features)
    if student.regressor is not None and layers:
        features["regressed"] = student.regressor(features[layers[0]]).float()
    return Output(output.logits.float(), features)
