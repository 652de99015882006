"""Training phases: frozen and trained layers of each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from spaces.errors import Problem, did_you_mean
from spaces.recipe import Recipe
from spaces.training import Train
from trainables.data import Dataset
from trainables.models import build_without_memory
from trainables.output import get_layer


def set_trainable_layers(model: nn.Module, train: Train, epoch: int) -> None:
    """Freeze all layers but those of this epoch: weights and batch-norm statistics."""
    names = _trained_layers(train, epoch)
    if train.head_first is None and names is None:
        return
    trained = [model] if names is None else [get_layer(model, name) for name in names]
    model.requires_grad_(False)
    for layer in trained:
        layer.requires_grad_(True)
    modules = set(chain.from_iterable(layer.modules() for layer in trained))
    for module in model.modules():
        if isinstance(module, _NormBase) and module not in modules:
            module.eval()


def _trained_layers(train: Train, epoch: int) -> list[str] | None:
    return train.head_first.layers if train.head_first and epoch <= train.head_first.epochs else train.layers


def phase_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield missing layers, and layers without weights."""
    head_first = recipe.train.head_first
    layers = [("train.head_first.layers", name) for name in (head_first.layers if head_first else ())]
    layers += [("train.layers", name) for name in recipe.train.layers or ()]
    if not layers:
        return
    model = build_without_memory(recipe.network, data.shape, len(data.classes))
    trainable = [name for name, module in model.named_modules() if name and any(True for _ in module.parameters())]
    for path, name in layers:
        try:
            if not any(True for _ in get_layer(model, name).parameters()):
                yield path, f"layer {name} has no weights to train{did_you_mean(name, trainable)}"
        except AttributeError:
            yield path, f"no layer {name} in this network{did_you_mean(name, trainable)}"
