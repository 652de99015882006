"""Memory and disk space of a training, computed without training.

Only tensors are counted, not the libraries of a process. All sizes are bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from spaces.parts import Model
from spaces.recipe import Recipe
from spaces.training import AugmentPolicy, Train
from trainables.augment import view_count
from trainables.cost import network_cost
from trainables.data import Dataset
from trainables.data.array_file import memory_bytes
from trainables.device import module_device, process_device
from trainables.distillation_data import RequestedOutputs, requested_outputs
from trainables.evaluate import evaluation_batch_size
from trainables.method_module import build_method_module
from trainables.models import build_without_memory
from trainables.output import has_layer, layer_activations
from trainables.teachers.outputs import FLOAT32_BYTES, MAX_CACHED_LAYER_VALUES, MAX_FLOAT32_VIEW_BYTES


def training_bytes(recipe: Recipe, data: Dataset) -> int:
    """Return the peak memory of training one student.

    It holds images, teacher outputs, weights, optimizer state and activations. A training step keeps the output of
    every layer for a batch, and some gradients; scoring keeps two layers' outputs for a larger batch.
    """
    network = meta_network(recipe.network, data)
    values = layer_sizes(network, data)
    batch = min(recipe.train.batch_size, len(data.train.labels))
    step = batch * (sum(values) + 2 * max(values)) * FLOAT32_BYTES
    scoring_batch = min(evaluation_batch_size(network, data.shape), len(data.val.labels))
    scoring = scoring_batch * 2 * max(values) * FLOAT32_BYTES
    on_gpu = process_device().type == "cuda"  # mapped images stay in files elsewhere
    images = (data.train.images, data.val.images)
    inputs = sum(array.nbytes if on_gpu else memory_bytes(array) for array in images)
    if recipe.teacher is not None and recipe.method.name != "none":
        inputs += outputs_bytes(recipe.teacher_recipes()[0].network, data, requested_outputs([recipe]))
    copies = 2 + _optimizer_tensors(recipe.train)  # weights, gradients, optimizer state
    trained = weights_bytes(recipe.network, data) * copies + _module_bytes(recipe, data, copies)
    return inputs + trained + max(step, scoring)


def _module_bytes(recipe: Recipe, data: Dataset, copies: int) -> int:
    """Return the size of the method's own module, with `copies` of its parameters."""
    module = build_method_module(recipe, data, torch.device("cpu"))
    if module is None:
        return 0
    tensors = [*module.parameters()] * copies + [*module.buffers()]
    return sum(tensor.nbytes for tensor in tensors)


def weights_bytes(model: Model, data: Dataset) -> int:
    """Return the size of a network's weights."""
    return network_cost(model, data).parameters * FLOAT32_BYTES


def outputs_bytes(teacher: Model, data: Dataset, requested: RequestedOutputs) -> int:
    """Return the size of a teacher's outputs.

    They are logits of all images, and the requested layers and views.
    """
    classes, sizes = len(data.classes), _requested_layer_sizes(teacher, data, requested.layers)
    cached = sum(size for size in sizes if size <= MAX_CACHED_LAYER_VALUES)
    views = sum(views_bytes(policy, data) for policy in requested.policies)
    return FLOAT32_BYTES * (sum(data.sizes.values()) * classes + len(data.train.labels) * cached) + views


def views_bytes(policy: AugmentPolicy, data: Dataset) -> int:
    """Return the size of a teacher's logits for all views."""
    float32 = FLOAT32_BYTES * view_count(policy) * len(data.train.labels) * len(data.classes)
    return float32 if float32 <= MAX_FLOAT32_VIEW_BYTES else float32 // 2


def meta_network(model: Model, data: Dataset) -> nn.Module:
    """Build a network without memory for its weights."""
    return build_without_memory(model, data.shape, len(data.classes))


@torch.no_grad()
def _requested_layer_sizes(model: Model, data: Dataset, layers: Iterable[str]) -> list[int]:
    """Return the number of values of these layers for one image."""
    network = meta_network(model, data)
    images = torch.zeros(1, *data.shape, device=module_device(network))
    return [layer_activations(network, images, [name])[name].numel() for name in layers if has_layer(network, name)]


@torch.no_grad()
def layer_sizes(network: nn.Module, data: Dataset) -> list[int]:
    """Return the values kept by each layer for one image, image first."""
    sizes = [math.prod(data.shape)]

    def count_values(module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            # Max pooling also keeps the index of each maximum, as 64-bit numbers.
            sizes.append(output[0].numel() * (3 if isinstance(module, nn.MaxPool2d) else 1))

    for module in network.modules():
        if not any(module.children()):
            module.register_forward_hook(count_values)
    network(torch.zeros(1, *data.shape, device=module_device(network)))
    return sizes


def _optimizer_tensors(train: Train) -> int:
    """Return the optimizer's state tensors for each weight tensor."""
    if train.optimizer == "sgd":
        return int(train.momentum > 0)
    return 1 if train.optimizer == "rmsprop" else 2
