"""The training loop of one student, as a generator of epochs.

The caller stops a training early by not requesting the next epoch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spaces.metrics import NO_VALIDATION, compute_metrics
from spaces.recipe import Recipe
from spaces.training import Train
from trainables import optim
from trainables.batches import TrainingTensors, epoch_batches, steps_per_epoch, training_tensors, weighted_mean
from trainables.channels_last import keep_gradients_channels_last
from trainables.device import autocast, process_device, to_tensor
from trainables.distillation_data import DistillationData
from trainables.evaluate import predict_logits
from trainables.methods import METHODS, method_requirements
from trainables.omitted import correct_biases
from trainables.output import member_outputs, prepare_images
from trainables.phases import set_trainable_layers
from trainables.seeding import derive_seed
from trainables.trainable_student import TrainableStudent, build_student, student_output
from trainables.weights.initial import load_initial_weights


class TrainingState(NamedTuple):
    """State after an epoch, to continue a training.

    Random numbers need no state: they derive from the seed and the epoch.
    """

    epoch: int
    total_seconds: float  # of training so far, without evaluation
    weights: dict[str, Tensor]
    optimizer_state: dict[str, Tensor]
    method_module: dict[str, Tensor]  # state of the module that the method owns; empty for most methods


class EpochResult(NamedTuple):
    """Result of one epoch, counted from 1.

    The state shares memory with the running training: copy it before the next epoch.
    """

    epoch: int
    train_loss: float
    val_metrics: dict[str, float | None]  # by row field, such as val_loss; None without validation images
    lr: float
    epoch_seconds: float
    state: TrainingState

    @property
    def val_loss(self) -> float:
        """Mean cross-entropy on validation, in nats."""
        return cast(float, self.val_metrics["val_loss"])

    @property
    def val_accuracy(self) -> float:
        """Fraction of validation images classified correctly."""
        return cast(float, self.val_metrics["val_accuracy"])

    def row(self) -> dict[str, int | float | None]:
        """Return the fields of the epoch's row."""
        first = {"epoch": self.epoch, "train_loss": self.train_loss}
        return first | self.val_metrics | {"lr": self.lr, "seconds": self.epoch_seconds}


class Diverged(Exception):
    """The training or validation loss is NaN or infinite."""


def find_divergence(train_loss: float, val_metrics: dict[str, float | None], epoch: int) -> Diverged | None:
    """Return an error if a loss is not finite, else None."""
    val_loss = val_metrics["val_loss"]
    losses = {"train": train_loss} | ({} if val_loss is None else {"validation": val_loss})
    if all(map(math.isfinite, losses.values())):
        return None
    return Diverged(f"loss {', '.join(f'{loss} on {split}' for split, loss in losses.items())} in epoch {epoch}")


def fit(
    recipe: Recipe, distillation_data: DistillationData, *, start: TrainingState | None = None
) -> Iterator[EpochResult]:
    """Train one student; yield the result of each epoch.

    Continues after the epoch of `start`, if given. Raises Diverged if a loss is not finite.
    """
    distillation_data = distillation_data.for_recipe(recipe)
    device, data, train = process_device(), distillation_data.data, recipe.train
    student = build_student(recipe, data, device)
    keep_gradients_channels_last(student.model)
    optimizer = optim.build_optimizer(student.module(), train)
    if start is None:
        load_initial_weights(student.model)
    else:
        _restore_student(student, optimizer, start)
    tensors = training_tensors(recipe, distillation_data, device)
    val_images, val_labels = (to_tensor(array, device) for array in data.val)
    first_epoch, total_seconds = (start.epoch + 1, start.total_seconds) if start else (1, 0.0)
    for epoch in range(first_epoch, train.epochs + 1):
        began = perf_counter()
        if epoch in optimizer_resets(recipe):
            optimizer = optim.build_optimizer(student.module(), train)
        loss = _train_epoch(student, optimizer, recipe, tensors, epoch)
        if train.omit and train.omit.correct_bias and epoch == train.epochs:
            correct_biases(student.model, val_images, val_labels, train.omit.classes)
        epoch_seconds = perf_counter() - began
        total_seconds += epoch_seconds
        val_metrics = NO_VALIDATION
        if len(val_labels):
            val_metrics = compute_metrics(predict_logits(student.model, val_images), val_labels, "val")
        if diverged := find_divergence(loss, val_metrics, epoch):
            raise diverged
        state = _training_state(epoch, total_seconds, student, optimizer)
        yield EpochResult(epoch, loss, val_metrics, optimizer.param_groups[0]["lr"], epoch_seconds, state)


def optimizer_resets(recipe: Recipe) -> set[int]:
    """Return the epochs with a new optimizer.

    Epoch 1, and the epoch after a method's first stage and after `head_first`: the optimizer's moments would belong to
    another loss or to other layers.
    """
    head_first = recipe.train.head_first
    return {method_requirements(recipe.method).first_stage_epochs + 1, head_first.epochs + 1 if head_first else 1}


def _train_epoch(
    student: TrainableStudent, optimizer: Optimizer, recipe: Recipe, tensors: TrainingTensors, epoch: int
) -> float:
    """Train one epoch; return the mean loss per example."""
    train, device, required = recipe.train, tensors.images.device, method_requirements(recipe.method)
    loss_function, knobs = METHODS[recipe.method.name], recipe.method.knobs
    layers = required.student_layers if required.observes_layers(epoch) else ()
    steps = steps_per_epoch(train, len(tensors.indices))
    total = torch.zeros((), device=device)
    torch.manual_seed(derive_seed(recipe.seed, "dropout", epoch))
    student.model.train()
    set_trainable_layers(student.model, train, epoch)
    for step, batch in enumerate(epoch_batches(recipe, tensors, epoch, steps), (epoch - 1) * steps):
        for group in optimizer.param_groups:
            group["lr"] = optim.learning_rate(train, step, steps)
        with autocast(train, device):
            output = student_output(student.model, prepare_images(batch.images), layers)
        batch_inputs = {"images": batch.images, "indices": batch.indices, "module": student.method_module}
        inputs = required.select_inputs(train, epoch, **batch_inputs)
        members = member_outputs(output)
        losses = [loss_function(member, batch.teacher, batch.labels, **inputs, **knobs) for member in members]
        loss = weighted_mean(sum(losses[1:], losses[0]) / len(losses), batch.labels, tensors.class_weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        _limit_norms(student.model, train)
        total += loss.detach()
    return (total / steps).item()


@torch.no_grad()
def _limit_norms(model: nn.Module, train: Train) -> None:
    """Scale down the input weights of units above `max_norm`.

    It is the constraint of Hinton et al. (2012). Frozen layers stay as they are.
    """
    if train.max_norm is None:
        return
    for module in model.modules():
        if isinstance(module, nn.Linear) and module.weight.requires_grad:
            module.weight.copy_(torch.renorm(module.weight, 2, 0, train.max_norm))


def _restore_student(student: TrainableStudent, optimizer: Optimizer, start: TrainingState) -> None:
    student.model.load_state_dict(start.weights)
    if student.method_module is not None:
        student.method_module.load_state_dict(start.method_module)
    optim.restore_state(optimizer, start.optimizer_state)


def _training_state(epoch: int, total_seconds: float, student: TrainableStudent, optimizer: Optimizer) -> TrainingState:
    module = {} if student.method_module is None else student.method_module.state_dict()
    return TrainingState(epoch, total_seconds, student.model.state_dict(), optim.flatten_state(optimizer), module)
