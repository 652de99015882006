"""What a network answers: logits, and the activations of its hint layers where a method asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor, nn


class Output(NamedTuple):
    """Logits [batch, classes] before any softmax, and activations by layer name, each [batch, ...]."""

    logits: Tensor
    features: Mapping[str, Tensor] = MappingProxyType({})


def member_outputs(output: Output) -> list[Output]:
    """Whom a loss is about: each member of an ensemble by itself (`features["members"]`), otherwise the network."""
    members = output.features.get("members")
    return [output] if members is None else [output._replace(logits=each) for each in members.float().unbind(1)]


class Progress(NamedTuple):
    """Where in the training a loss is asked for: the epoch, counted from 1, and how many there will be."""

    epoch: int
    epochs: int


def prepare(images: Tensor) -> Tensor:
    """Turn uint8 images [batch, channels, height, width] into floats in [0, 1]; no other normalization is applied."""
    return images.float().div_(255)


def layer(model: nn.Module, name: str) -> nn.Module:
    """A layer of a network by its name, whether or not subclasses are pooled behind it; AttributeError where none."""
    try:
        return model.get_submodule(name)
    except AttributeError:
        inner = getattr(model, "subclasses", None)
        if not isinstance(inner, nn.Module):
            raise
        return inner.get_submodule(name)


def has(model: nn.Module, name: str) -> bool:
    """Whether a network has such a layer; those that a method asks for may be those of another teacher."""
    try:
        layer(model, name)
    except AttributeError:
        return False
    return True


class _Enough(Exception):
    """All layers that were asked for have answered."""


@contextmanager
def _watched(model: nn.Module, names: Iterable[str], *, stop: bool = False) -> Iterator[dict[str, Tensor]]:
    """The outputs of layers by name, filled while the model runs; with `stop` it runs no further than the last."""
    features: dict[str, Tensor] = {}
    observed = {name: layer(model, name) for name in dict.fromkeys(names)}  # all found before any is hooked

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            features[name] = output
            if stop and len(features) == len(observed):
                raise _Enough
            return output.clone()  # what follows may work in place

        return hook

    hooks = [module.register_forward_hook(keep(name)) for name, module in observed.items()]
    try:
        yield features
    finally:
        for each in hooks:
            each.remove()


def observe(model: nn.Module, inputs: Tensor, layers: Sequence[str] = ()) -> Output:
    """Run a model on prepared inputs and keep the outputs of the named layers, and of those it always answers with."""
    with _watched(model, (*layers, *getattr(model, "answers", ()))) as features:
        return Output(model(inputs), features)


def activations(model: nn.Module, inputs: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Run a model on prepared inputs only as far as the last of the named layers; their outputs by name."""
    with _watched(model, layers, stop=True) as features, suppress(_Enough):
        model(inputs)
    return features
