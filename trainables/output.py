"""What a network answers: logits, and the activations of its hint layers where a method asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor, nn


class Output(NamedTuple):
    """Logits [batch, classes] before any softmax, and activations by layer name, each [batch, ...]."""

    logits: Tensor
    features: Mapping[str, Tensor] = MappingProxyType({})


def prepare(images: Tensor) -> Tensor:
    """Turn uint8 images [batch, channels, height, width] into floats in [0, 1]; no other normalisation is applied."""
    return images.float().div_(255)


def observe(model: nn.Module, inputs: Tensor, layers: Sequence[str] = ()) -> Output:
    """Run a model on prepared inputs and keep the outputs of the named layers."""
    features: dict[str, Tensor] = {}

    def keep(name: str):
        return lambda _module, _inputs, output: features.__setitem__(name, output)

    observed = {name: model.get_submodule(name) for name in layers}  # all found before any is hooked
    hooks = [module.register_forward_hook(keep(name)) for name, module in observed.items()]
    try:
        return Output(model(inputs), features)
    finally:
        for hook in hooks:
            hook.remove()
