"""Shapes for building the module of a method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor


class LayersError(ValueError):
    """A module cannot be built for these layers."""

    def __init__(self, knob: str, message: str) -> None:
        super().__init__(message)
        self.knob = knob


class ObservedShapes(NamedTuple):
    """Shapes of observed layers, and labels of the training images.

    Shapes are those of the activations of one example, by layer. `rectified` are the teacher's layers with activations
    from a ReLU. `labels` [n] are those of the images to train on, in the order of their indices; -100 for unlabeled.
    """

    student: Mapping[str, torch.Size]
    teacher: Mapping[str, torch.Size]
    rectified: frozenset[str]
    labels: Tensor
