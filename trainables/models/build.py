"""Construction of networks by name.

The registry is filled by the package `trainables.models`. It lies here because nested networks are built by name, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_type_hints

import torch
from torch import nn

from spaces.errors import UserError
from spaces.parts import Model, NetworkSpec
from trainables.models.input_layers import add_normalization, add_resizing
from trainables.models.network_outputs import return_logits
from trainables.models.subclass_pooling import SubclassPooling, subclass_counts
from trainables.plugin_functions import is_plugin
from trainables.seeding import derive_seed

FILE_NETWORKS = {"torchscript", "onnx", "recorded"}  # saved networks, run as they are; for teachers
FOREIGN_NETWORKS = {*FILE_NETWORKS, "transformers"}  # may read values of tensors
MODELS: dict[str, Callable[..., nn.Module]] = {}


def build_network(model: Model, shape: tuple[int, ...], classes: int, seed: int = 0) -> nn.Module:
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


def build_without_memory(model: Model, shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build a network on the device meta, in evaluation mode.

    One that reads values in its constructor or forward pass, as by `.item()`, is built on the CPU instead.
    """
    try:
        with torch.device("meta"), torch.no_grad():
            network = build_network(model, shape, classes).eval()
            if is_plugin(MODELS[model.name]) or model.name in FOREIGN_NETWORKS:
                network(torch.zeros(2, *shape))
            return network
    except RuntimeError as error:
        if "meta" not in str(error):
            raise
        return build_network(model, shape, classes).eval()


def build_nested(model: NetworkSpec, shape: tuple[int, ...], classes: int) -> nn.Module:
    """Build a network with weights from torch's global generator."""
    side, function = model.resize, MODELS[model.name]
    if len(shape) != 3 and (side or get_type_hints(function).get("shape") == tuple[int, int, int]):
        needs = "resize" if side else model.name
        raise ValueError(f"{needs} needs images [channels, height, width], but the inputs are {list(shape)}")
    network = function((shape[0], side, side) if side else shape, classes, **model.knobs)
    if not isinstance(network, nn.Module):
        raise UserError(f"{model.name} returned {type(network).__name__}, expected a torch.nn.Module")
    if is_plugin(function):
        return_logits(network, model.name)
    if side:
        add_resizing(network, side)
    add_normalization(network, model.normalize, shape)  # after the resizing: hooks run in this order
    if model.weights is not None:
        network.starts_from = model.weights  # type: ignore[assignment]  # a module takes any attribute
    return network
