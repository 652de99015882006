"""Networks by name: a function of (image shape, number of classes, *, knobs) each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from spaces.recipe import Model
from trainables.models.cnn import cnn
from trainables.models.mlp import mlp
from trainables.seeding import derive

MODELS: dict[str, Callable[..., nn.Module]] = {
    "cnn": cnn,
    "mlp": mlp,
}


def build(model: Model, shape: tuple[int, int, int], classes: int, seed: int = 0) -> nn.Module:
    """Build a network with the initial weights of a seed, leaving torch's global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "init"))
        return MODELS[model.name](shape, classes, **model.knobs)
