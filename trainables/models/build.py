"""Construction of networks by name.

The registry is filled by the package `trainables.models`. It lies here because nested networks are built by name, too.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from spaces.parts import Model, NetworkSpec
from trainables.models.input_layers import add_normalization, add_resizing
from trainables.models.subclass_pooling import SubclassPooling, subclass_counts
from trainables.seeding import derive_seed

MODELS: dict[str, Callable[..., nn.Module]] = {}


def build_network(model: Model, shape: tuple[int, int, int], classes: int, seed: int = 0) -> nn.Module:
    """Build a network with the initial weights of a seed.

    torch's global generator is left unchanged. `weights` of the model are only noted in the network, as `starts_from`;
    trainables.weights reads them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "init"))
        if model.subclasses in (None, 1):
            return build_nested(model, shape, classes)
        counts = subclass_counts(model.subclasses, classes)
        return SubclassPooling(build_nested(model, shape, sum(counts)), counts)


def build_nested(model: NetworkSpec, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build a network with weights from torch's global generator."""
    side = model.resize
    network = MODELS[model.name]((shape[0], side, side) if side else shape, classes, **model.knobs)
    if side:
        add_resizing(network, side)
    add_normalization(network, model.normalize, shape[0])  # after the resizing: hooks run in this order
    if model.weights is not None:
        network.starts_from = model.weights  # type: ignore[assignment]  # a module takes any attribute
    return network
