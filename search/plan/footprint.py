"""How much memory and disk a training takes, counted without training: tensors, not the libraries around them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from spaces.recipe import Model, Policy, Recipe, Train
from trainables.augment import views
from trainables.data import Dataset
from trainables.distillation_data import RequestedOutputs, requested_outputs
from trainables.evaluate import at_once
from trainables.models import build
from trainables.output import activations, has
from trainables.teachers.outputs import FLOAT, LARGEST, MOST
from trainables.validate import price


def memory(recipe: Recipe, data: Dataset) -> int:
    """Bytes that the training of a student holds at most: images, answers, network, optimiser and activations.

    A step keeps what every layer gives of a batch, and some gradients; scoring keeps two layers of more images.
    """
    network = outline(recipe.network, data)
    given = layers(network, data)
    batch = min(recipe.train.batch_size, len(data.train.labels))
    training = batch * (sum(given) + 2 * max(given)) * FLOAT
    scored = min(at_once(network, data.shape), len(data.val.labels))
    scoring = scored * 2 * max(given) * FLOAT
    held = data.train.images.nbytes + data.val.images.nbytes
    if recipe.teacher is not None and recipe.method.name != "none":
        held += answers(recipe.teacher_recipes()[0].network, data, requested_outputs([recipe]))
    return held + weights(recipe.network, data) * (2 + _moments(recipe.train)) + max(training, scoring)


def weights(model: Model, data: Dataset) -> int:
    """Bytes of a network's weights."""
    return price(model, data).parameters * FLOAT


def answers(teacher: Model, data: Dataset, asked: RequestedOutputs) -> int:
    """Bytes of a teacher's answers: logits of all images, and what students ask for beside them."""
    classes, sizes = len(data.classes), _sizes(teacher, data, asked.layers)
    kept = sum(size for size in sizes if size <= LARGEST)
    shown = sum(of_views(policy, data) for policy in asked.policies)
    return FLOAT * (sum(data.sizes.values()) * classes + len(data.train.labels) * kept) + shown


def of_views(policy: Policy, data: Dataset) -> int:
    """Bytes of a teacher's logits for all views of the training images."""
    whole = FLOAT * views(policy) * len(data.train.labels) * len(data.classes)
    return whole if whole <= MOST else whole // 2


def outline(model: Model, data: Dataset) -> nn.Module:
    """A network without memory for its weights."""
    with torch.device("meta"):
        return build(model, data.shape, len(data.classes)).eval()


@torch.no_grad()
def _sizes(model: Model, data: Dataset, layers: Iterable[str]) -> list[int]:
    """How many values these layers give for one image."""
    images, network = torch.zeros(1, *data.shape, device="meta"), outline(model, data)
    return [activations(network, images, [name])[name].numel() for name in layers if has(network, name)]


@torch.no_grad()
def layers(network: nn.Module, data: Dataset) -> list[int]:
    """How many values each layer keeps of one image, the image itself first."""
    found = [math.prod(data.shape)]

    def count(module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            # A pool also keeps where each maximum stood, as 64-bit numbers.
            found.append(output[0].numel() * (3 if isinstance(module, nn.MaxPool2d) else 1))

    for module in network.modules():
        if not any(module.children()):
            module.register_forward_hook(count)
    network(torch.zeros(1, *data.shape, device="meta"))
    return found


def _moments(train: Train) -> int:
    """How many tensors of the weights' size an optimiser holds."""
    if train.optimizer == "sgd":
        return int(train.momentum > 0)
    return 1 if train.optimizer == "rmsprop" else 2
