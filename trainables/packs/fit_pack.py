"""Many students trained as one: weights stacked, batches and the teacher's answers shared, one kernel for all.

Each is the student that `fit` would train alone, up to rounding: its own order, dropout, rates and knobs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn import Linear

from spaces.recipe import Recipe
from trainables import optim
from trainables.batches import Batch, Material, batches, material, mean, steps_per_epoch
from trainables.device import autocast, device, tensor
from trainables.distillation_data import DistillationData
from trainables.evaluate import Scores, at_once, score
from trainables.fit import Diverged, Epoch, State, restarts
from trainables.methods import METHODS, needs
from trainables.output import Output, Progress, prepare
from trainables.packs.alike import numbers
from trainables.packs.optimizer import Broadcast
from trainables.packs.stack import Stack, dropouts, stack
from trainables.seeding import derive

Told = dict[int, Epoch | Diverged]  # by the student's place among the recipes


class Shared(NamedTuple):
    """What does not change from epoch to epoch; `whose` is the place of each student's seed among the seeds."""

    recipes: Sequence[Recipe]
    given: Material
    seeds: list[int]
    whose: Tensor
    fixed: dict[str, Any]  # knobs of the method that are the same for all
    varied: dict[str, Tensor]  # and those that are not, [students]
    dropped: dict[str, torch.Size]


def fit(
    recipes: Sequence[Recipe],
    lesson: DistillationData,
    *,
    starts: Sequence[State] = (),
    over: Callable[[int], bool] = lambda place: False,
) -> Iterator[Told]:
    """Train students that are alike, or go on from their states after one and the same epoch.

    Each round tells of the students that are left; one that diverged is told once, and whoever is `over` by its place
    trains no more. Seconds are each student's share of those of all.
    """
    going = dict(enumerate(recipes))
    states = dict(enumerate(starts))
    while going:
        places = list(going)
        for results in _rounds(list(going.values()), lesson, [states[place] for place in places if states]):
            told = dict(zip(places, results, strict=True))
            yield told
            stopped = {place for place, end in told.items() if isinstance(end, Diverged) or over(place)}
            if stopped:
                going = {place: recipe for place, recipe in going.items() if place not in stopped}
                states = {place: told[place].state for place in going}  # type: ignore[union-attr]  # it went on
                break
        else:
            return
        if going and next(iter(states.values())).epoch >= recipes[0].train.epochs:
            return


def _rounds(
    recipes: Sequence[Recipe], lesson: DistillationData, starts: Sequence[State]
) -> Iterator[list[Epoch | Diverged]]:
    """The epochs of students of whom nobody stops."""
    where, data, train = device(), lesson.data, recipes[0].train
    students = stack(recipes, data, where, starts)
    shared = _shared(students, recipes, lesson, where)
    optimiser = Broadcast(students.parameters.values(), [recipe.train for recipe in recipes])
    if starts:
        optimiser.restore([state.optimiser for state in starts])
    val = [tensor(array, where) for array in data.val]
    spent = [state.seconds for state in starts] or [0.0] * len(recipes)
    for epoch in range(starts[0].epoch + 1 if starts else 1, train.epochs + 1):
        began = perf_counter()
        if epoch in restarts(recipes[0]):
            optimiser = Broadcast(students.parameters.values(), [recipe.train for recipe in recipes])
        losses, rates = _train_epoch(students, optimiser, shared, epoch)
        seconds = (perf_counter() - began) / len(recipes)
        spent = [before + seconds for before in spent]
        scores, moments = _scores(students, train.batch_size, *val), optimiser.states()
        yield [
            _told(losses[i], scores[i], rates[i], seconds, State(epoch, spent[i], weights, moments[i], regressor))
            for i in range(len(recipes))
            for weights, regressor in [students.parts(i)]
        ]


def _told(loss: float, scores: Scores, rate: float, seconds: float, state: State) -> Epoch | Diverged:
    if not (math.isfinite(loss) and math.isfinite(scores.loss)):
        return Diverged(f"loss {loss} on train, {scores.loss} on validation in epoch {state.epoch}")
    found = scores.loss, scores.accuracy, scores.macro_f1, scores.auc
    return Epoch(state.epoch, loss, *found, rate, seconds, state)


def _shared(students: Stack, recipes: Sequence[Recipe], lesson: DistillationData, where: torch.device) -> Shared:
    given = material(recipes[0], lesson, where)
    seeds = list(dict.fromkeys(recipe.seed for recipe in recipes))
    whose = torch.tensor([seeds.index(recipe.seed) for recipe in recipes], device=where)
    columns = {name: [numbers(recipe)[name] for recipe in recipes] for name in numbers(recipes[0])}
    varied = {name: values for name, values in columns.items() if len(set(values)) > 1}
    few = given.images[: min(recipes[0].train.batch_size, len(given.kept))]
    return Shared(
        recipes,
        given,
        seeds,
        whose,
        {name: value for name, value in recipes[0].method.knobs.items() if name not in varied},
        {name: torch.tensor([float(value) for value in values], device=where) for name, values in varied.items()},
        dropouts(students.learner, prepare(few)),
    )


def _train_epoch(students: Stack, optimiser: Broadcast, shared: Shared, epoch: int) -> tuple[list[float], list[float]]:
    """One pass of all students over their images; the mean loss per example and the last rate of each."""
    recipe, given, seeds = shared.recipes[0], shared.given, shared.seeds
    steps = steps_per_epoch(recipe.train, len(given.kept))
    rates = optimiser.rates(epoch, steps)
    sources = [torch.Generator(given.images.device).manual_seed(derive(seed, "dropout", epoch)) for seed in seeds]
    total = torch.zeros(len(shared.recipes), device=given.images.device)
    students.learner.train()
    for step, batch in enumerate(batches(recipe, given, epoch, steps, seeds)):
        loss = _losses(students, shared, batch, _kept(students, shared, sources), epoch)
        loss.sum().backward()
        optimiser.step(rates[step])
        _limit_norms(students, recipe.train.max_norm)
        total += loss.detach()
    last = [optim.rate(each.train, epoch * steps - 1, steps) for each in shared.recipes]
    return (total / steps).tolist(), last


def _losses(students: Stack, shared: Shared, batch: Batch, kept: dict[str, Tensor], epoch: int) -> Tensor:
    """The mean loss of each student on its batch, [students]."""
    recipe, asked, learner = shared.recipes[0], needs(shared.recipes[0].method), students.learner
    loss_of, layers = METHODS[recipe.method.name], asked.student if asked.hints(epoch) else ()
    when = (Progress(epoch, recipe.train.epochs),) if asked.moment else ()

    def one(tensors: dict, knobs: dict, kept: dict, inputs: Tensor, labels: Tensor, teacher: Output | None) -> Tensor:
        for name, each in kept.items():
            learner.get_submodule(name).kept = each
        with autocast(recipe.train, inputs.device):
            student = functional_call(learner, tensors, (inputs, layers))
        losses = loss_of(student, teacher, labels, *when, **shared.fixed, **knobs)
        return mean(losses, labels, shared.given.weights)

    taught = batch.teacher and Output(*_each(shared, batch.teacher.logits, batch.teacher.features))
    inputs, labels = _each(shared, prepare(batch.images), batch.labels)
    own = 0 if len(shared.seeds) > 1 else None
    dims = (0, 0, own, own, own, own if taught else None)
    return vmap(one, dims)(students.tensors, shared.varied, kept, inputs, labels, taught)


def _each(shared: Shared, *values: Any) -> list[Any]:
    """Tensors [seeds · batch, ...] as [students, batch, ...], or as [batch, ...] where all have one seed."""
    return [_by_student(shared, value) for value in values]


def _by_student(shared: Shared, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _by_student(shared, each) for name, each in value.items()}
    if len(shared.seeds) == 1:
        return value
    each = value.unflatten(0, (len(shared.seeds), -1))
    return each if len(shared.seeds) == len(shared.recipes) else each[shared.whose]


def _kept(students: Stack, shared: Shared, sources: Sequence[torch.Generator]) -> dict[str, Tensor]:
    """What dropout lets through in one step, by layer, drawn for each seed as its student alone would draw it."""
    where = shared.given.images.device
    layers: dict[str, Any] = {name: students.learner.get_submodule(name) for name in shared.dropped}
    drawn = [{n: layers[n].draw(shape, where, each) for n, shape in shared.dropped.items()} for each in sources]
    return {name: _by_student(shared, torch.cat([each[name] for each in drawn])) for name in layers}


@torch.no_grad()
def _limit_norms(students: Stack, longest: float | None) -> None:
    """Scale down the incoming weights of any unit of any student whose norm exceeds a length."""
    for name, module in students.learner.model.named_modules():
        if longest is not None and isinstance(module, Linear):
            weights = students.parameters[f"model.{name}.weight"]
            weights.copy_(torch.renorm(weights.flatten(0, 1), 2, 0, longest).view_as(weights))


@torch.no_grad()
def _scores(students: Stack, batch: int, images: Tensor, labels: Tensor) -> list[Scores]:
    """Accuracy and loss of each student, dropout off."""
    learner, tensors = students.learner.eval(), students.tensors
    ask = vmap(lambda one, inputs: functional_call(learner, one, (inputs,)).logits, (0, None))
    most = at_once(learner, images.shape) // len(next(iter(tensors.values())))
    n = max(batch, most)  # no more at once than in training
    logits = torch.cat([ask(tensors, prepare(each)) for each in images.split(n)], 1)
    return [score(each, labels) for each in logits]
