"""Networks by name: a function of (image shape, number of classes, *, knobs) each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from spaces.recipe import Model
from trainables.models.cnn import cnn
from trainables.models.ensemble import ensemble
from trainables.models.mlp import mlp
from trainables.models.pooled import Pooled, subclass_counts
from trainables.models.routed import routed
from trainables.seeding import derive

MODELS: dict[str, Callable[..., nn.Module]] = {
    "cnn": cnn,
    "mlp": mlp,
    "ensemble": ensemble,
    "routed": routed,
}


def build(model: Model, shape: tuple[int, int, int], classes: int, seed: int = 0) -> nn.Module:
    """Build a network with the initial weights of a seed, leaving torch's global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "init"))
        if model.subclasses in (None, 1):
            return MODELS[model.name](shape, classes, **model.knobs)
        counts = subclass_counts(model.subclasses, classes)
        return Pooled(MODELS[model.name](shape, sum(counts), **model.knobs), counts)
