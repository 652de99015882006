"""Transfer in phases: which layers train in which epoch, while the others stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from spaces.errors import Complaint, nearest
from spaces.recipe import Recipe, Train
from trainables.data import Dataset
from trainables.models import build
from trainables.output import layer


def release(model: nn.Module, train: Train, epoch: int) -> None:
    """Let the layers of this epoch train, and no others: these keep their weights and batch norm's statistics."""
    names = _layers(train, epoch)
    if train.head_first is None and names is None:
        return
    chosen = [model] if names is None else [layer(model, name) for name in names]
    model.requires_grad_(False)
    for each in chosen:
        each.requires_grad_(True)
    training = set(chain.from_iterable(each.modules() for each in chosen))
    for module in model.modules():
        if isinstance(module, _NormBase) and module not in training:
            module.eval()


def _layers(train: Train, epoch: int) -> list[str] | None:
    return train.head_first.layers if train.head_first and epoch <= train.head_first.epochs else train.layers


def complaints(recipe: Recipe, data: Dataset) -> Iterator[Complaint]:
    """Say which layers to be trained do not exist, with the nearest that does, or have nothing to train."""
    top, layers = recipe.train.head_first, recipe.train.layers
    named = [("train.head_first.layers", name) for name in (top.layers if top else ())]
    named += [("train.layers", name) for name in layers or ()]
    if not named:
        return
    with torch.device("meta"):
        model = build(recipe.network, data.shape, len(data.classes))
    known = [name for name, module in model.named_modules() if name and any(True for _ in module.parameters())]
    for path, name in named:
        try:
            if not any(True for _ in layer(model, name).parameters()):
                yield path, f"layer {name} has no weights to train{nearest(name, known)}"
        except AttributeError:
            yield path, f"no layer {name} in this network{nearest(name, known)}"
