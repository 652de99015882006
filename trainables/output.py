"""Outputs of a network: logits, and activations of observed layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Output(NamedTuple):
    """Logits [batch, classes] before softmax, and activations [batch, ...] by layer."""

    logits: Tensor
    features: Mapping[str, Tensor] = MappingProxyType({})


def member_outputs(output: Output) -> list[Output]:
    """Return the outputs of an ensemble's members, or the output itself.

    Each member of an ensemble has its own loss. `features["members"]` are their logits [batch, members, classes].
    """
    members = output.features.get("members")
    return [output] if members is None else [output._replace(logits=logits) for logits in members.float().unbind(1)]


class Progress(NamedTuple):
    """The present epoch, counted from 1, and the number of epochs."""

    epoch: int
    epochs: int


def prepare_images(images: Tensor) -> Tensor:
    """Convert uint8 images [batch, channels, height, width] to floats in [0, 1].

    float32 inputs [batch, …] are copied, for a network may work in place.
    """
    return images.float().div_(255) if images.dtype == torch.uint8 else images.float().clone()


def random_inputs(n: int, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """Return random inputs [n, *shape] of a type.

    They are always the same.
    """
    generator = torch.Generator().manual_seed(0)
    if dtype == torch.uint8:
        return torch.randint(0, 256, (n, *shape), dtype=dtype, generator=generator)
    return torch.randn((n, *shape), dtype=dtype, generator=generator)


def get_layer(model: nn.Module, name: str) -> nn.Module:
    """Return a layer by its name.

    The network may lie inside a pooling of subclasses. Raises AttributeError if there is none.
    """
    try:
        return model.get_submodule(name)
    except AttributeError:
        inner = getattr(model, "subclasses", None)
        if not isinstance(inner, nn.Module):
            raise
        return inner.get_submodule(name)


def has_layer(model: nn.Module, name: str) -> bool:
    """Return True if a network has this layer."""
    try:
        get_layer(model, name)
    except AttributeError:
        return False
    return True


class _AllLayersObservedError(Exception):
    """Stops a forward pass after the last observed layer."""


@contextmanager
def _observe_layers(model: nn.Module, names: Iterable[str], *, stop: bool = False) -> Iterator[dict[str, Tensor]]:
    """Yield a dict, filled with activations by layer while the model runs.

    With `stop` the forward pass ends after the last of these layers.
    """
    features: dict[str, Tensor] = {}
    observed = {name: get_layer(model, name) for name in dict.fromkeys(names)}  # raises before any hook is set

    def make_hook(name: str):
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            features[name] = output
            if stop and len(features) == len(observed):
                raise _AllLayersObservedError
            return output.clone()  # the next layer may work in place

        return hook

    hooks = [module.register_forward_hook(make_hook(name)) for name, module in observed.items()]
    try:
        yield features
    finally:
        for handle in hooks:
            handle.remove()


def forward_with_layers(model: nn.Module, inputs: Tensor, layers: Sequence[str] = ()) -> Output:
    """Run a model on prepared images; observe layers and extra outputs."""
    with _observe_layers(model, (*layers, *getattr(model, "extra_outputs", ()))) as features:
        return Output(model(inputs), features)


def layer_activations(model: nn.Module, inputs: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Run a model up to its last named layer; return the activations."""
    with _observe_layers(model, layers, stop=True) as features, suppress(_AllLayersObservedError):
        model(inputs)
    return features
