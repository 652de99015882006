"""Networks by name: a function of (image shape, number of classes, *, knobs) each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from spaces.recipe import Model, Network
from trainables.models.cnn import cnn
from trainables.models.ensemble import ensemble
from trainables.models.mlp import mlp
from trainables.models.plain import cnn3, plain_cnn
from trainables.models.pooled import Pooled, subclass_counts
from trainables.models.resnet_cifar import resnet_cifar
from trainables.models.routed import routed
from trainables.models.stem import resized
from trainables.models.timm import timm
from trainables.models.vision import (
    densenet121,
    googlenet,
    mobilenet_v2,
    resnet18,
    resnet34,
    resnet50,
    shufflenet_v2,
    squeezenet,
    vgg16,
)
from trainables.seeding import derive

MODELS: dict[str, Callable[..., nn.Module]] = {
    "cnn": cnn,
    "mlp": mlp,
    "cnn3": cnn3,
    "plain_cnn": plain_cnn,
    "resnet_cifar": resnet_cifar,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "mobilenet_v2": mobilenet_v2,
    "densenet121": densenet121,
    "googlenet": googlenet,
    "vgg16": vgg16,
    "shufflenet_v2": shufflenet_v2,
    "squeezenet": squeezenet,
    "timm": timm,
    "ensemble": ensemble,
    "routed": routed,
}


def build(model: Model, shape: tuple[int, int, int], classes: int, seed: int = 0) -> nn.Module:
    """Build a network with the initial weights of a seed, leaving torch's global generator as it was.

    Where it starts from weights of a file is noted in it, for trainables.weights to read them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "init"))
        if model.subclasses in (None, 1):
            return create(model, shape, classes)
        counts = subclass_counts(model.subclasses, classes)
        return Pooled(create(model, shape, sum(counts)), counts)


def create(model: Network, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build a network, or a part of one, its weights drawn from torch's global generator."""
    side = model.resize
    made = MODELS[model.name]((shape[0], side, side) if side else shape, classes, **model.knobs)
    if side:
        resized(made, side)
    if model.weights is not None:
        made.starts_from = model.weights  # type: ignore[assignment]  # any attribute may stand on a module
    return made
