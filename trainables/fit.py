"""The training loop, as a generator of epochs: whoever wants to stop early does not ask for the next one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spaces.recipe import Recipe, Train
from trainables import optim
from trainables.augment import jitter
from trainables.device import autocast, device, tensor
from trainables.evaluate import predict, score
from trainables.lesson import Lesson
from trainables.methods import METHODS
from trainables.models import build
from trainables.output import Output, observe, prepare
from trainables.seeding import derive, generator


class State(NamedTuple):
    """Enough to go on after an epoch: weights and the optimiser's tensors; all randomness derives from the seed."""

    epoch: int
    seconds: float  # of training so far, evaluation not counted
    weights: dict[str, Tensor]
    optimiser: dict[str, Tensor]


class Epoch(NamedTuple):
    """One finished epoch, counted from 1; the state is the live one, to be read before the next epoch is asked for."""

    epoch: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    lr: float
    seconds: float
    state: State


class Diverged(Exception):
    """The loss became NaN or infinite."""


class Batches(NamedTuple):
    """One split on the device, with the teacher's logits beside the images they answer."""

    images: Tensor
    labels: Tensor
    teacher: Tensor | None


def fit(recipe: Recipe, lesson: Lesson, *, start: State | None = None) -> Iterator[Epoch]:
    """Train one student by its recipe, or go on from a state; raises Diverged when the loss is no longer finite."""
    where, data, train = device(), lesson.data, recipe.train
    model = build(recipe.student.model, data.shape, len(data.classes), recipe.seed)
    model.to(where).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs
    optimiser = optim.optimizer(model, train)
    if start is not None:
        model.load_state_dict(start.weights)
        optim.unflatten(optimiser, start.optimiser)
    answers = None if lesson.teacher is None else tensor(lesson.teacher.train, where)
    batches = Batches(tensor(data.train.images, where), tensor(data.train.labels, where), answers)
    val_images, val_labels = (tensor(array, where) for array in data.val)
    first, spent = (start.epoch + 1, start.seconds) if start else (1, 0.0)
    for epoch in range(first, train.epochs + 1):
        began = perf_counter()
        loss = _train_epoch(model, optimiser, recipe, batches, epoch)
        seconds = perf_counter() - began
        scores = score(predict(model, val_images), val_labels)
        if not (math.isfinite(loss) and math.isfinite(scores.loss)):
            raise Diverged(f"loss {loss} on train, {scores.loss} on validation in epoch {epoch}")
        spent += seconds
        state = State(epoch, spent, model.state_dict(), optim.flatten(optimiser))
        rate = optimiser.param_groups[0]["lr"]
        yield Epoch(epoch, loss, scores.loss, scores.accuracy, rate, seconds, state)


def _train_epoch(
    model: nn.Module, optimiser: torch.optim.Optimizer, recipe: Recipe, batches: Batches, epoch: int
) -> float:
    """One pass over the training images in the order of this seed and epoch; the mean loss per example."""
    train, where = recipe.train, batches.images.device
    loss_of, knobs = METHODS[recipe.method.name], recipe.method.knobs
    order = _order(len(batches.labels), recipe.seed, epoch).to(where)
    shifts = generator(recipe.seed, "jitter", epoch)
    torch.manual_seed(derive(recipe.seed, "dropout", epoch))
    steps = steps_per_epoch(train, len(order))
    total = torch.zeros((), device=where)
    model.train()
    for step, index in enumerate(order.split(train.batch_size)[:steps]):
        images = batches.images[index]
        if train.jitter:
            images = jitter(images, train.jitter, shifts)
        for group in optimiser.param_groups:
            group["lr"] = optim.rate(train, (epoch - 1) * steps + step, steps)
        with autocast(train, where):
            student = observe(model, prepare(images))
        student = student._replace(logits=student.logits.float())
        teacher = None if batches.teacher is None else Output(batches.teacher[index])
        loss = loss_of(student, teacher, batches.labels[index], **knobs).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        _limit_norms(model, train)
        total += loss.detach()
    return (total / steps).item()


def steps_per_epoch(train: Train, images: int) -> int:
    """Whole batches only, as in the assignment: a small last one would weigh its images more; at least one."""
    return max(1, images // train.batch_size)


def _order(images: int, seed: int, epoch: int) -> Tensor:
    return torch.randperm(images, generator=generator(seed, "order", epoch))


@torch.no_grad()
def _limit_norms(model: nn.Module, train: Train) -> None:
    """Scale down the incoming weights of any unit whose norm exceeds `max_norm` (the constraint of Hinton et al.)."""
    if train.max_norm is None:
        return
    for module in model.modules():
        if isinstance(module, nn.Linear):
            module.weight.copy_(torch.renorm(module.weight, 2, 0, train.max_norm))
