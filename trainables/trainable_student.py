"""A student network with the module of its method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spaces.recipe import Recipe
from trainables.channels_last import to_channels_last
from trainables.data import Dataset
from trainables.method_module import build_method_module
from trainables.models import build_network
from trainables.output import Output, forward_with_layers


class TrainableStudent(NamedTuple):
    """A student network, and the module that its method owns."""

    model: nn.Module
    method_module: nn.Module | None

    def module(self) -> nn.Module:
        """Return both as one module."""
        return self.model if self.method_module is None else nn.ModuleList([self.model, self.method_module])


def build_student(recipe: Recipe, data: Dataset, device: torch.device) -> TrainableStudent:
    """Build an untrained student on a device, initialized by its seed."""
    model = build_network(recipe.network, data.shape, len(data.classes), recipe.seed)
    to_channels_last(model.to(device))
    return TrainableStudent(model, build_method_module(recipe, data, device))


def student_output(model: nn.Module, inputs: Tensor, layers: Sequence[str]) -> Output:
    """Return a student's output for prepared images, with the activations of `layers`.

    Logits are float32, activations have the precision of the training.
    """
    output = forward_with_layers(model, inputs, layers)
    return output._replace(logits=output.logits.float())
