"""One epoch of a pack: batches, dropout masks, losses and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn import Linear

from spaces.metrics import NO_VALIDATION, compute_metrics
from spaces.recipe import Recipe
from trainables import optim
from trainables.batches import Batch, TrainingTensors, epoch_batches, steps_per_epoch, training_tensors, weighted_mean
from trainables.device import autocast
from trainables.distillation_data import DistillationData
from trainables.evaluate import evaluation_batch_size
from trainables.methods import METHODS, method_requirements
from trainables.output import Output, prepare_images
from trainables.packs.pack_key import numeric_knobs
from trainables.packs.stacked_optimizer import StackedOptimizer
from trainables.packs.stacked_students import StackedStudents, call_method_module, dropout_shapes
from trainables.seeding import derive_seed


class PackInputs(NamedTuple):
    """Inputs of a pack, equal in all epochs."""

    recipes: Sequence[Recipe]
    tensors: TrainingTensors
    seeds: list[int]  # distinct
    seed_indices: Tensor  # index of each student's seed in `seeds`, [students]
    fixed_knobs: dict[str, Any]  # of the method, equal for all students
    varied_knobs: dict[str, Tensor]  # [students]
    dropout_shapes: dict[str, torch.Size]  # by layer, for the batch of one student


def pack_inputs(
    students: StackedStudents, recipes: Sequence[Recipe], distillation_data: DistillationData, device: torch.device
) -> PackInputs:
    """Move the inputs of a pack to a device."""
    tensors = training_tensors(recipes[0], distillation_data, device)
    seeds = list(dict.fromkeys(recipe.seed for recipe in recipes))
    columns = {name: [numeric_knobs(recipe)[name] for recipe in recipes] for name in numeric_knobs(recipes[0])}
    varied = {name: list(map(float, values)) for name, values in columns.items() if len(set(values)) > 1}
    batch = tensors.images[: min(recipes[0].train.batch_size, len(tensors.indices))]
    return PackInputs(
        recipes=recipes,
        tensors=tensors,
        seeds=seeds,
        seed_indices=torch.tensor([seeds.index(recipe.seed) for recipe in recipes], device=device),
        fixed_knobs={name: value for name, value in recipes[0].method.knobs.items() if name not in varied},
        varied_knobs={name: torch.tensor(values, device=device) for name, values in varied.items()},
        dropout_shapes=dropout_shapes(students.network, prepare_images(batch)),
    )


def train_pack_epoch(
    students: StackedStudents, optimizer: StackedOptimizer, inputs: PackInputs, epoch: int
) -> tuple[list[float], list[float]]:
    """Train one epoch; return mean losses and last learning rates.

    Both have one number per student.
    """
    recipe, tensors, device = inputs.recipes[0], inputs.tensors, inputs.tensors.images.device
    steps = steps_per_epoch(recipe.train, len(tensors.indices))
    rates = optimizer.rates(epoch, steps)
    generators = [torch.Generator(device).manual_seed(derive_seed(seed, "dropout", epoch)) for seed in inputs.seeds]
    total = torch.zeros(len(inputs.recipes), device=device)
    students.network.train()
    for step, batch in enumerate(epoch_batches(recipe, tensors, epoch, steps, inputs.seeds)):
        masks = _dropout_masks(students, inputs, generators)
        losses = _pack_losses(students, inputs, batch, masks, epoch)
        losses.sum().backward()
        optimizer.step(rates[step])
        _limit_stacked_norms(students, recipe.train.max_norm)
        total += losses.detach()
    last_rates = [optim.learning_rate(recipe.train, epoch * steps - 1, steps) for recipe in inputs.recipes]
    return (total / steps).tolist(), last_rates


def _pack_losses(
    students: StackedStudents, inputs: PackInputs, batch: Batch, masks: dict[str, Tensor], epoch: int
) -> Tensor:
    """Return the mean loss of each student on its batch, [students]."""
    recipe, network = inputs.recipes[0], students.network
    required, loss_function = method_requirements(recipe.method), METHODS[recipe.method.name]
    layers = required.student_layers if required.observes_layers(epoch) else ()

    def student_loss(tensors: dict, knobs: dict, masks: dict, images: Tensor, batch: Batch) -> Tensor:
        for name, mask in masks.items():
            network.get_submodule(name).keep_mask = mask
        with autocast(recipe.train, images.device):
            output = functional_call(network, tensors, (images, layers))
        module = partial(call_method_module, network, tensors)
        batch_inputs = {"images": batch.images, "indices": batch.indices, "module": module}
        more = required.select_inputs(recipe.train, epoch, **batch_inputs)
        losses = loss_function(output, batch.teacher, batch.labels, **more, **inputs.fixed_knobs, **knobs)
        return weighted_mean(losses, batch.labels, inputs.tensors.class_weights)

    prepared = _per_student(inputs, prepare_images(batch.images))
    images, labels, indices = (_per_student(inputs, part) for part in (batch.images, batch.labels, batch.indices))
    teacher = batch.teacher and Output(*(_per_student(inputs, part) for part in batch.teacher))
    student_batch = Batch(images, labels, indices, teacher)
    seed_dim: Any = 0 if len(inputs.seeds) > 1 else None
    batch_dims = Batch(seed_dim, seed_dim, seed_dim, seed_dim if teacher else None)
    dims = (0, 0, seed_dim, seed_dim, batch_dims)
    return vmap(student_loss, dims)(students.tensors, inputs.varied_knobs, masks, prepared, student_batch)


def _per_student(inputs: PackInputs, value: Any) -> Any:
    """Reshape tensors [seeds · batch, ...] to [students, batch, ...].

    With a single seed they stay [batch, ...], shared by all students. `value` is a tensor or a dict of tensors.
    """
    if isinstance(value, Mapping):
        return {name: _per_student(inputs, tensor) for name, tensor in value.items()}
    if len(inputs.seeds) == 1:
        return value
    per_seed = value.unflatten(0, (len(inputs.seeds), -1))
    return per_seed if len(inputs.seeds) == len(inputs.recipes) else per_seed[inputs.seed_indices]


def _dropout_masks(
    students: StackedStudents, inputs: PackInputs, generators: Sequence[torch.Generator]
) -> dict[str, Tensor]:
    """Draw the dropout masks of one step by layer.

    Each seed has its own generator, which draws what a student trained alone would draw.
    """
    device, shapes = inputs.tensors.images.device, inputs.dropout_shapes
    layers: dict[str, Any] = {name: students.network.get_submodule(name) for name in shapes}
    per_seed = [
        {name: layers[name].draw_mask(shape, device, generator) for name, shape in shapes.items()}
        for generator in generators
    ]
    return {name: _per_student(inputs, torch.cat([masks[name] for masks in per_seed])) for name in layers}


@torch.no_grad()
def _limit_stacked_norms(students: StackedStudents, max_norm: float | None) -> None:
    """Scale down the input weights of units above `max_norm`, as `fit` does."""
    for name, module in students.network.model.named_modules():
        if max_norm is not None and isinstance(module, Linear):
            weights = students.parameters[f"model.{name}.weight"]
            weights.copy_(torch.renorm(weights.flatten(0, 1), 2, 0, max_norm).view_as(weights))


def pack_metrics(
    students: StackedStudents, batch_size: int, images: Tensor, labels: Tensor
) -> list[dict[str, float | None]]:
    """Return the validation metrics of each student, None without images."""
    if not len(labels):
        return [NO_VALIDATION] * len(next(iter(students.tensors.values())))
    logits = pack_logits(students, batch_size, images)
    return [compute_metrics(student_logits, labels, "val") for student_logits in logits]


@torch.no_grad()
def pack_logits(students: StackedStudents, batch_size: int, images: Tensor) -> Tensor:
    """Return the logits of each student in evaluation mode, [students, images, classes]."""
    network, tensors = students.network.eval(), students.tensors
    forward = vmap(lambda weights, inputs: functional_call(network, weights, (inputs,)).logits, (0, None))
    count = len(next(iter(tensors.values())))
    n = max(batch_size, evaluation_batch_size(network, images.shape[1:]) // count)  # training fits a batch in memory
    return torch.cat([forward(tensors, prepare_images(part)) for part in images.split(n)], 1)
