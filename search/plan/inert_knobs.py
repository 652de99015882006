"""Which searched knobs reach the training: each is moved on two batches of real data, in the real training loop.

A knob is alive where the weights after a few epochs differ. The teacher's answers are random, so that no teacher has to
be taught; the teacher's own knobs are not tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from search.plan.dummy_teacher import dummy_distillation_data
from spaces.errors import UserError
from spaces.label import text
from spaces.recipe import Recipe
from spaces.space import Space
from spaces.template import Values
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, RequestedOutputs, requested_outputs
from trainables.fit import Diverged, fit
from trainables.methods import needs

PARTS = ("method", "student", "train")
UNTRIED = {"train.epochs"}  # epochs are counted, whatever else happens
FEW = 64  # images of a batch, where its size is not searched: whether a knob counts shows in a few
EPOCHS = 2  # after a first stage; a schedule or a decay shows in the second
ALONE = "where alpha is 0 the student learns alone"
LATER = {
    "train.max_norm": "no weights are as long as that yet, so it may count later",
    "train.class_weights": "the few images tried are as many of each class; those that are trained on may not be",
}

Weights = dict[str, Tensor]


class Finding(NamedTuple):
    """Whether moving a knob between two values changes what is learnt; `reason` says why or where not, if known."""

    path: str
    alive: bool
    values: tuple[str, str]
    reason: str


class Bench(NamedTuple):
    """Some data, and what was made of it so far: lessons, and weights that were learnt, None where they diverged."""

    data: Dataset
    batch: int | None  # images, where it is not the recipe that says how many
    lessons: dict[tuple[str, RequestedOutputs], DistillationData]
    learnt: dict[tuple[str, int], Weights | None]


class Pair(NamedTuple):
    """Two recipes that differ in one knob, and its values."""

    recipes: tuple[Recipe, Recipe]
    values: tuple[str, str]


def findings(space: Space, data: Dataset) -> Iterator[Finding]:
    """Try each searched knob of method, student and training; a UserError where a student cannot be trained at all."""
    bench = _bench(space, data)
    for values in space.probes():  # whether anything is searched or not
        _learnt(space, bench, space.fill(values, space.seeds[0]).canonical(), 1)
    for path in space.knobs:
        if path.split(".")[0] in PARTS and path not in UNTRIED:
            yield _finding(space, bench, path)


def _bench(space: Space, data: Dataset) -> Bench:
    """Two batches: of batches that are searched, two of the smallest."""
    smallest = min(space.fill(values, space.seeds[0]).train.batch_size for values in space.probes())
    batch = None if "train.batch_size" in space.knobs else min(max(FEW, len(data.classes)), smallest)
    return Bench(data.take(2 * (batch or smallest), 100, len(data.classes)), batch, {}, {})


def _finding(space: Space, bench: Bench, path: str) -> Finding:
    """Move a knob until something changes."""
    quiet: list[Pair] = []
    for pair in _pairs(space, path):
        if _changes(space, bench, pair):
            return Finding(path, True, pair.values, ALONE if any(map(_alone, quiet)) else "")
        quiet.append(pair)
    if not quiet:
        return Finding(path, True, ("", ""), "")  # a choice of one
    return Finding(path, False, quiet[0].values, ALONE if all(map(_alone, quiet)) else LATER.get(path, ""))


def _pairs(space: Space, path: str) -> Iterator[Pair]:
    """Recipes that differ in a knob, and in what comes with its option; the others stand as in each probe in turn."""
    probes = [values for values in space.probes() if path in values]
    for values in probes:
        for other in probes:
            moved = _filled(space, {**other, **values, path: other[path]})
            if moved is not None and text(other[path]) != text(values[path]):
                yield Pair((space.fill(values, space.seeds[0]), moved), (text(values[path]), text(other[path])))


def _filled(space: Space, values: Values) -> Recipe | None:
    try:
        return space.fill(values, space.seeds[0])
    except UserError:
        return None  # a value of another option, or two that do not go together


def _alone(pair: Pair) -> bool:
    """Whether both are the student alone, because the teacher has no weight."""
    return all(recipe.method.name != "none" and recipe.canonical().method.name == "none" for recipe in pair.recipes)


def _changes(space: Space, bench: Bench, pair: Pair) -> bool:
    epochs = EPOCHS + max(needs(recipe.method).first_stage for recipe in pair.recipes)
    one, other = (_learnt(space, bench, recipe.canonical(), epochs) for recipe in pair.recipes)
    if one is None or other is None:
        return True  # nothing can be said of a student that diverges, but its knobs reach it
    same = one.keys() == other.keys() and all(one[name].shape == other[name].shape for name in one)
    return not (same and all(torch.equal(one[name], other[name]) for name in one))


def _learnt(space: Space, bench: Bench, recipe: Recipe, epochs: int) -> Weights | None:
    """The weights of a student after some epochs on the bench, each recipe trained once."""
    name = recipe.key(), epochs
    if name not in bench.learnt:
        less = {"epochs": min(epochs, recipe.train.epochs), "batch_size": bench.batch or recipe.train.batch_size}
        short = recipe.train.model_copy(update=less)
        bench.learnt[name] = _trained(space, bench, recipe.model_copy(update={"train": short}))
    return bench.learnt[name]


def _trained(space: Space, bench: Bench, recipe: Recipe) -> Weights | None:
    try:
        *_, last = fit(recipe, _lesson(bench, recipe))
    except Diverged:
        return None
    except (RuntimeError, ValueError, KeyError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise space.error("method", f"{recipe.method.name} cannot train this student: {reason}") from None
    return {name: value.clone() for name, value in last.state.weights.items()}


def _lesson(bench: Bench, recipe: Recipe) -> DistillationData:
    name = recipe.teacher.model_dump_json() if recipe.teacher else "", requested_outputs([recipe])
    if name not in bench.lessons:
        bench.lessons[name] = dummy_distillation_data(recipe, bench.data)
    return bench.lessons[name]
