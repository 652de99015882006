"""The training loop, as a generator of epochs: whoever wants to stop early does not ask for the next one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spaces.recipe import Recipe, Train
from trainables import channels_last, optim
from trainables.batches import Material, batches, material, mean, steps_per_epoch
from trainables.data import Dataset
from trainables.device import autocast, device, tensor
from trainables.distillation_data import DistillationData
from trainables.evaluate import predict, score
from trainables.hints import between
from trainables.methods import METHODS, needs
from trainables.models import build
from trainables.omitted import correct
from trainables.output import Output, Progress, member_outputs, observe, prepare
from trainables.phases import release
from trainables.seeding import derive
from trainables.weights.initial import begin


class State(NamedTuple):
    """Enough to go on after an epoch: weights and the optimiser's tensors; all randomness derives from the seed."""

    epoch: int
    seconds: float  # of training so far, evaluation not counted
    weights: dict[str, Tensor]
    optimiser: dict[str, Tensor]
    regressor: dict[str, Tensor]  # of methods with hints, empty for others; dropped after the last epoch


class Epoch(NamedTuple):
    """One finished epoch, counted from 1; the state is the live one, to be read before the next epoch is asked for."""

    epoch: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    val_macro_f1: float
    val_auc: float | None  # where validation has a single class
    lr: float
    seconds: float
    state: State


class Diverged(Exception):
    """The loss became NaN or infinite."""


class TrainableStudent(NamedTuple):
    """What is trained: the student, and the regressor that its method may need while it learns."""

    model: nn.Module
    regressor: nn.Module | None

    def whole(self) -> nn.Module:
        """Both, as one module with one list of parameters."""
        return self.model if self.regressor is None else nn.ModuleList([self.model, self.regressor])


def fit(recipe: Recipe, lesson: DistillationData, *, start: State | None = None) -> Iterator[Epoch]:
    """Train one student by its recipe, or go on from a state; raises Diverged when the loss is no longer finite."""
    where, data, train = device(), lesson.data, recipe.train
    pupil = fresh(recipe, data, where)
    channels_last.back_too(pupil.model)
    optimiser = optim.optimizer(pupil.whole(), train)
    if start is None:
        begin(pupil.model)
    else:
        _restore(pupil, optimiser, start)
    given = material(recipe, lesson, where)
    val_images, val_labels = (tensor(array, where) for array in data.val)
    first, spent = (start.epoch + 1, start.seconds) if start else (1, 0.0)
    for epoch in range(first, train.epochs + 1):
        began = perf_counter()
        if epoch in restarts(recipe):  # what was learnt for another loss, or by fewer layers, must not steer the rest
            optimiser = optim.optimizer(pupil.whole(), train)
        loss = _train_epoch(pupil, optimiser, recipe, given, epoch)
        if train.omit and train.omit.correct_bias and epoch == train.epochs:
            correct(pupil.model, val_images, val_labels, train.omit.classes)
        seconds = perf_counter() - began
        scores = score(predict(pupil.model, val_images), val_labels)
        if not (math.isfinite(loss) and math.isfinite(scores.loss)):
            raise Diverged(f"loss {loss} on train, {scores.loss} on validation in epoch {epoch}")
        spent += seconds
        state = _state(epoch, spent, pupil, optimiser)
        rate = optimiser.param_groups[0]["lr"]
        found = scores.loss, scores.accuracy, scores.macro_f1, scores.auc
        yield Epoch(epoch, loss, *found, rate, seconds, state)


def restarts(recipe: Recipe) -> set[int]:
    """The epochs before which the optimiser begins anew: those after a first stage, and after a first phase."""
    top = recipe.train.head_first
    return {needs(recipe.method).first_stage + 1, top.epochs + 1 if top else 1}


def fresh(recipe: Recipe, data: Dataset, where: torch.device) -> TrainableStudent:
    """A fresh student on the device, and a fresh regressor where its method asks for one."""
    model = build(recipe.network, data.shape, len(data.classes), recipe.seed)
    channels_last.channels_last(model.to(where))
    regressor = between(recipe, data)
    return TrainableStudent(model, None if regressor is None else regressor.to(where))


def _restore(pupil: TrainableStudent, optimiser: Optimizer, start: State) -> None:
    pupil.model.load_state_dict(start.weights)
    if pupil.regressor is not None:
        pupil.regressor.load_state_dict(start.regressor)
    optim.unflatten(optimiser, start.optimiser)


def _state(epoch: int, seconds: float, pupil: TrainableStudent, optimiser: Optimizer) -> State:
    regressor = {} if pupil.regressor is None else pupil.regressor.state_dict()
    return State(epoch, seconds, pupil.model.state_dict(), optim.flatten(optimiser), regressor)


def _train_epoch(pupil: TrainableStudent, optimiser: Optimizer, recipe: Recipe, given: Material, epoch: int) -> float:
    """One pass over the training images in the order of this seed and epoch; the mean loss per example."""
    train, where, asked = recipe.train, given.images.device, needs(recipe.method)
    loss_of, knobs = METHODS[recipe.method.name], recipe.method.knobs
    when = (Progress(epoch, train.epochs),) if asked.moment else ()
    layers = asked.student if asked.hints(epoch) else ()
    torch.manual_seed(derive(recipe.seed, "dropout", epoch))
    steps = steps_per_epoch(train, len(given.kept))
    total = torch.zeros((), device=where)
    pupil.model.train()
    release(pupil.model, train, epoch)
    for step, batch in enumerate(batches(recipe, given, epoch, steps)):
        for group in optimiser.param_groups:
            group["lr"] = optim.rate(train, (epoch - 1) * steps + step, steps)
        with autocast(train, where):
            student = answer(pupil, prepare(batch.images), layers)
        each = [loss_of(voice, batch.teacher, batch.labels, *when, **knobs) for voice in member_outputs(student)]
        loss = mean(sum(each[1:], each[0]) / len(each), batch.labels, given.weights)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        _limit_norms(pupil.model, train)
        total += loss.detach()
    return (total / steps).item()


def answer(pupil: TrainableStudent, inputs: Tensor, layers: tuple[str, ...]) -> Output:
    """What a student says of prepared images; a regressor maps the layer that its method looks at."""
    student = observe(pupil.model, inputs, layers)
    features = dict(student.features)
    if pupil.regressor is not None and layers:
        features["regressed"] = pupil.regressor(features[layers[0]]).float()
    return Output(student.logits.float(), features)


@torch.no_grad()
def _limit_norms(model: nn.Module, train: Train) -> None:
    """Scale down the incoming weights of any unit whose norm exceeds `max_norm` (the constraint of Hinton et al.).

    Layers that do not train are left alone.
    """
    if train.max_norm is None:
        return
    for module in model.modules():
        if isinstance(module, nn.Linear) and module.weight.requires_grad:
            module.weight.copy_(torch.renorm(module.weight, 2, 0, train.max_norm))
