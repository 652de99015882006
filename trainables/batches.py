"""What a student sees in one step: images, labels, and the teacher's answer to these very images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from spaces.recipe import Recipe, Train
from trainables.augment import draw, show
from trainables.device import autocast, tensor
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.methods import needs
from trainables.models import build
from trainables.output import Output, activations, prepare
from trainables.seeding import generator


class Material(NamedTuple):
    """The training images on the device, with all that is known of them; `kept` are those that are trained on."""

    images: Tensor
    labels: Tensor
    kept: Tensor
    logits: Tensor | None  # of the teacher, [views, n, classes]
    features: dict[str, Tensor]  # of the teacher's layers that were kept, [n, ...]
    teacher: nn.Module | None  # to be asked for its other layers
    asked: tuple[str, ...]
    weights: Tensor | None  # of the classes, [classes]; None where all images count alike


class Batch(NamedTuple):
    """Images, uint8 [batch, channels, height, width], labels [batch] and what the teacher says of them."""

    images: Tensor
    labels: Tensor
    teacher: Output | None


def material(recipe: Recipe, lesson: DistillationData, where: torch.device) -> Material:
    """Put one student's training images and the teacher's answers to them on a device."""
    data, answers, train = lesson.data, lesson.teacher, recipe.train
    images, labels = (tensor(array, where) for array in data.train)
    shown = ~np.isin(data.train.labels, train.omit.classes if train.omit else [])
    kept = torch.from_numpy(np.flatnonzero(shown))
    weights = class_weights(train, labels[kept.to(where)], len(data.classes))
    if answers is None or recipe.method.name == "none":
        return Material(images, labels, kept, None, {}, None, (), weights)
    logits = answers.views[train.policy] if train.policy else answers.train[None]
    layers = [*needs(recipe.method).teacher, *_always(answers)]
    features = {} if train.policy else {name: answers.features[name] for name in layers if name in answers.features}
    asked = tuple(name for name in layers if name not in features)
    teacher = _teacher(recipe, lesson).to(where) if asked else None
    held = {name: tensor(array, where) for name, array in features.items()}
    return Material(images, labels, kept, tensor(logits, where), held, teacher, asked, weights)


def class_weights(train: Train, labels: Tensor, classes: int) -> Tensor | None:
    """The weight of each class, [classes], by the labels [n] that are trained on; None where all count alike.

    Balanced is n / (k n_c), where n_c of n images are of class c and k classes occur: then each class weighs the same,
    and an image 1 on average. A class that does not occur weighs nothing.
    """
    if train.class_weights is None:
        return None
    if train.class_weights != "balanced":
        return torch.tensor(train.class_weights, device=labels.device)
    counts = torch.bincount(labels, minlength=classes).float()
    weights = len(labels) / ((counts > 0).sum() * counts)
    return torch.where(counts > 0, weights, 0.0)


def mean(losses: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """The mean of losses [batch], each weighed by its class: the sum of w·loss over the sum of w."""
    if weights is None:
        return losses.mean()
    each = weights[labels]
    return (each * losses).sum() / each.sum()


def _always(answers: TeacherOutputs) -> list[str]:
    """The layers that a teacher always answers with: its subclasses, where it has any."""
    return [name for name in ("subclasses",) if name in answers.features]


def _teacher(recipe: Recipe, lesson: DistillationData) -> nn.Module:
    """The teacher itself, from the weights that came with its answers."""
    assert lesson.teacher is not None
    model = build(recipe.teacher_recipe().network, lesson.data.shape, len(lesson.data.classes))
    model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in lesson.teacher.weights.items()})
    return model.eval().requires_grad_(False)


def batches(
    recipe: Recipe, given: Material, epoch: int, steps: int, seeds: Sequence[int] | None = None
) -> Iterator[Batch]:
    """The batches of one epoch, in the order and the views of this seed and epoch.

    Of several seeds those of each step come as one, [seeds · batch], one seed after another.
    """
    train, where, seeds = recipe.train, given.images.device, seeds or [recipe.seed]
    n = len(given.kept)
    orders = [given.kept[torch.randperm(n, generator=generator(seed, "order", epoch))] for seed in seeds]
    drawn = [generator(seed, "jitter", epoch) for seed in seeds]
    if not needs(recipe.method).hints(epoch):
        given = given._replace(features={}, teacher=None)
    for each in torch.stack(orders).to(where).split(train.batch_size, 1)[:steps]:
        index, view = each.flatten(), None
        images = given.images[index]
        if train.policy:
            view = torch.cat([draw(each.shape[1], train.policy, source) for source in drawn])
            images = show(images, train.policy, view, index)
        yield Batch(images, given.labels[index], _answer(recipe, given, index, images, view))


@torch.no_grad()
def _answer(recipe: Recipe, given: Material, index: Tensor, images: Tensor, view: Tensor | None) -> Output | None:
    """What the teacher says of these images in these views: as far as it is known, otherwise it is asked."""
    if given.logits is None:
        return None
    logits = given.logits[0, index] if view is None else given.logits[view.to(index.device), index].float()
    features = {name: kept[index] for name, kept in given.features.items()}
    if given.teacher is not None:
        with autocast(recipe.train, index.device):
            features |= activations(given.teacher, prepare(images), given.asked)
    return Output(logits, features)


def steps_per_epoch(train: Train, images: int) -> int:
    """Whole batches only, as in the assignment: a small last one would weigh its images more; at least one."""
    return max(1, images // train.batch_size)
