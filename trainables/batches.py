"""Batches of one epoch: augmented images, labels and teacher outputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from spaces.recipe import Recipe
from spaces.training import Train
from trainables.augment import apply_views, draw_views
from trainables.data.dataset import UNLABELED
from trainables.data.stratified_split import SPLIT_SEED, stratified_split
from trainables.device import autocast, to_tensor
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.methods import method_requirements, needs_teacher
from trainables.models import build_network
from trainables.output import Output, layer_activations, prepare_images
from trainables.seeding import seeded_generator


class TrainingTensors(NamedTuple):
    """Training images and the teacher's outputs for them on the device.

    `teacher` computes the activations of `live_layers` in each batch. All others are in `teacher_features`.
    """

    images: Tensor  # uint8 [n, channels, height, width]
    labels: Tensor  # [n]
    indices: Tensor  # images to train on, [used]
    teacher_logits: Tensor | None  # [views, n, classes]
    teacher_features: dict[str, Tensor]  # by layer, [n, ...]
    teacher: nn.Module | None
    live_layers: tuple[str, ...]
    class_weights: Tensor | None  # [classes]; None for equal weights


class Batch(NamedTuple):
    """Images, uint8 [batch, channels, height, width], labels [batch] and teacher outputs.

    `indices` [batch] are the numbers of the images among those trained on.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    teacher: Output | None


def training_tensors(recipe: Recipe, distillation_data: DistillationData, device: torch.device) -> TrainingTensors:
    """Move the training images and the teacher's outputs to a device."""
    data, outputs, train = distillation_data.data, distillation_data.teacher, recipe.train
    images, labels = (to_tensor(array, device) for array in data.train)
    unlabeled = outputs is not None and uses_unlabeled(recipe)
    indices = torch.from_numpy(training_indices(train, data.train.labels, unlabeled))
    weights = class_weights(train, labels[indices.to(device)], len(data.classes))
    if outputs is None or recipe.method.name == "none":
        return TrainingTensors(images, labels, indices, None, {}, None, (), weights)
    policy = train.augment_policy
    logits = to_tensor(outputs.views[policy] if policy else outputs.train[None], device)
    layers = [*method_requirements(recipe.method).teacher_layers, *_subclass_layers(outputs)]
    cached = () if policy else tuple(name for name in layers if name in outputs.features)
    features = {name: to_tensor(outputs.features[name], device) for name in cached}
    live_layers = tuple(name for name in layers if name not in features)
    teacher = _rebuild_teacher(recipe, distillation_data).to(device) if live_layers else None
    return TrainingTensors(images, labels, indices, logits, features, teacher, live_layers, weights)


def training_indices(train: Train, labels: np.ndarray, unlabeled: bool = False) -> np.ndarray:
    """Return the ascending indices of the images to train on.

    Omitted classes are left out first. Then `train.images` are drawn, stratified by class: those of a smaller number
    are among those of a larger one, to within one image of a class. With `unlabeled`, all unlabeled images are added.
    """
    omitted = train.omit.classes if train.omit else []
    used = np.flatnonzero(~np.isin(labels, [UNLABELED, *omitted]))
    if train.images is not None and train.images < len(used):
        used = np.sort(used[stratified_split(labels[used], train.images, SPLIT_SEED)[1]])
    return np.sort(np.concatenate([used, np.flatnonzero(labels == UNLABELED)])) if unlabeled else used


def uses_unlabeled(recipe: Recipe) -> bool:
    """Return True if a student learns from its teacher."""
    return recipe.teacher is not None and needs_teacher(recipe.method.name)


def class_weights(train: Train, labels: Tensor, classes: int) -> Tensor | None:
    """Return the loss weights [classes], or None for equal weights.

    `labels` [n] are those of the images to train on, maybe UNLABELED. The balanced weight of class c is n / (k n_c),
    with n_c of n labeled images of class c and k classes that occur: all classes have the same total weight, and the
    mean weight of an image is 1. A class that does not occur has weight 0.
    """
    if train.class_weights is None:
        return None
    if train.class_weights != "balanced":
        return torch.tensor(train.class_weights, device=labels.device)
    counts = torch.bincount(labels[labels != UNLABELED], minlength=classes).float()
    weights = counts.sum() / ((counts > 0).sum() * counts)
    return torch.where(counts > 0, weights, 0.0)


def weighted_mean(losses: Tensor, labels: Tensor, class_weights: Tensor | None) -> Tensor:
    """Return the mean of losses [batch], weighted by class.

    Unlabeled images have weight 1, the mean weight of the others.
    """
    if class_weights is None:
        return losses.mean()
    weights = torch.where(labels == UNLABELED, 1.0, class_weights[labels.clamp_min(0)])
    return (weights * losses).sum() / weights.sum()


def epoch_batches(
    recipe: Recipe, tensors: TrainingTensors, epoch: int, steps: int, seeds: Sequence[int] | None = None
) -> Iterator[Batch]:
    """Yield the batches of one epoch.

    Order and views depend on seed and epoch only. For several seeds each batch is the concatenation of theirs, [seeds ·
    batch].
    """
    train, device, seeds = recipe.train, tensors.images.device, seeds or [recipe.seed]
    n = len(tensors.indices)
    orders = [torch.randperm(n, generator=seeded_generator(seed, "order", epoch)) for seed in seeds]
    image_numbers = tensors.indices.to(device)
    view_generators = [seeded_generator(seed, "jitter", epoch) for seed in seeds]
    if not method_requirements(recipe.method).observes_layers(epoch):
        tensors = tensors._replace(teacher_features={}, teacher=None)
    for indices in torch.stack(orders).to(device).split(train.batch_size, 1)[:steps]:
        trained_index, view = indices.flatten(), None
        index = image_numbers[trained_index]
        images = tensors.images[index]
        if train.augment_policy:
            drawn = [draw_views(indices.shape[1], train.augment_policy, source) for source in view_generators]
            view = torch.cat(drawn)
            images = apply_views(images, train.augment_policy, view, index)
        teacher = _teacher_output(recipe, tensors, index, images, view)
        yield Batch(images, tensors.labels[index], trained_index, teacher)


def steps_per_epoch(train: Train, images: int) -> int:
    """Return the number of full batches, at least 1.

    A smaller last batch is dropped, because its images would have a larger weight. With fewer images than
    `batch_size`, all of them are one batch.
    """
    return max(1, images // train.batch_size)


@torch.no_grad()
def _teacher_output(
    recipe: Recipe, tensors: TrainingTensors, index: Tensor, images: Tensor, view: Tensor | None
) -> Output | None:
    """Return the teacher's output for a batch.

    Only the activations of live layers are computed here.
    """
    if tensors.teacher_logits is None:
        return None
    if view is None:
        logits = tensors.teacher_logits[0, index]
    else:
        logits = tensors.teacher_logits[view.to(index.device), index].float()
    features = {name: activations[index] for name, activations in tensors.teacher_features.items()}
    if tensors.teacher is not None:
        with autocast(recipe.train, index.device):
            features |= layer_activations(tensors.teacher, prepare_images(images), tensors.live_layers)
    return Output(logits, features)


def _subclass_layers(outputs: TeacherOutputs) -> list[str]:
    """Return the layer of subclass logits if the teacher has one."""
    return [name for name in ("subclasses",) if name in outputs.features]


def _rebuild_teacher(recipe: Recipe, distillation_data: DistillationData) -> nn.Module:
    """Build the teacher from the weights in its outputs."""
    data, outputs = distillation_data
    assert outputs is not None
    model = build_network(recipe.teacher_recipe().network, data.shape, len(data.classes))
    model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in outputs.weights.items()})
    return model.eval().requires_grad_(False)
