"""Module of a method: its learned layers and its memories.

A method declares a function that builds it from the real shapes of the observed layers. Its parameters are trained by
the student's optimizer, its buffers hold any other state, and both are part of every checkpoint. It stays in training
mode, runs in the precision of the training, and is left out of the trained student. Random numbers in it come from
torch's global generator, which each epoch seeds.

Decision: "A method owns its state in one module" (docs/decisions.md).
"""

from __future__ import annotations

import torch
from torch import nn

from spaces.errors import UserError
from spaces.parts import Model
from spaces.recipe import Recipe
from trainables.batches import training_indices, uses_unlabeled
from trainables.data import Dataset
from trainables.declare import declaration_of
from trainables.device import autocast, module_device
from trainables.methods import METHODS, method_requirements
from trainables.models import build_without_memory
from trainables.observed_shapes import ObservedShapes
from trainables.output import get_layer, layer_activations
from trainables.seeding import derive_seed

RECTIFIERS = (nn.ReLU, nn.ReLU6)
SIGN_PRESERVING = (nn.MaxPool2d, nn.AvgPool2d, nn.Dropout, nn.Flatten, nn.Identity)  # of values ≥ 0


def build_method_module(recipe: Recipe, data: Dataset, device: torch.device) -> nn.Module | None:
    """Build a method's module on a device, or return None.

    Its initial weights derive from the seed. Raises LayersError if it cannot be built for these layers.
    """
    builder = declaration_of(METHODS[recipe.method.name]).module
    if builder is None or recipe.teacher is None:
        return None
    shapes, knobs = observed_shapes(recipe, data), method_requirements(recipe.method).module_knobs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "regressor"))  # the purpose of the first modules, for equal bits
        module = builder(shapes, **knobs)
    if not isinstance(module, nn.Module):
        raise UserError(f"{builder.__name__} returned {type(module).__name__}, expected a torch.nn.Module")
    module.to(device).train()
    module.forward = autocast(recipe.train, device)(module.forward)
    return module


def observed_shapes(recipe: Recipe, data: Dataset) -> ObservedShapes:
    """Return the shapes of a method's layers."""
    required = method_requirements(recipe.method)
    indices = training_indices(recipe.train, data.train.labels, uses_unlabeled(recipe))
    student, _ = _layer_shapes(recipe.network, data, required.student_layers)
    layers = required.teacher_layers  # none of an ensemble
    teacher, rectified = _layer_shapes(recipe.teacher_recipe().network, data, layers) if layers else ({}, ())
    return ObservedShapes(student, teacher, frozenset(rectified), torch.from_numpy(data.train.labels[indices]))


@torch.no_grad()
def _layer_shapes(
    network: Model, data: Dataset, layers: tuple[str, ...]
) -> tuple[dict[str, torch.Size], tuple[str, ...]]:
    """Return the shapes of layers for one example, and the rectified ones."""
    model = build_without_memory(network, data.shape, len(data.classes))
    with module_device(model):
        activations = layer_activations(model, torch.zeros(1, *data.shape), layers) if layers else {}
    shapes = {layer: activations[layer].shape[1:] for layer in layers}
    return shapes, tuple(layer for layer in layers if is_rectified(model, layer))


def is_rectified(model: nn.Module, name: str) -> bool:
    """Return True if a layer's activations come from a ReLU.

    Pooling, dropout and flattening may lie between.
    """
    target, rectified = get_layer(model, name), False
    for module in model.modules():
        if not isinstance(module, SIGN_PRESERVING) and not any(module.children()):
            rectified = isinstance(module, RECTIFIERS)
        if module is target:
            return rectified
    return False
