"""Effect of each searched knob on training.

The real training loop runs on two batches of real data. A knob is moved between two values. It is inert if the weights
after a few epochs are equal bit for bit. The teacher's outputs are random (dummy_teacher.py), so its own knobs are not
tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from search.plan.dummy_teacher import dummy_distillation_data
from spaces.errors import UserError
from spaces.label import label_text
from spaces.recipe import Recipe
from spaces.space import Space
from spaces.template import Values
from trainables.baseline import canonical_recipe
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, RequestedOutputs, requested_outputs
from trainables.fit import Diverged, fit
from trainables.methods import method_requirements

TRIED_PARTS = ("method", "student", "train")
EFFECTIVE_FIELDS = ("epochs", "images", "batch_size")  # of train; they always have an effect
UNTRIED_KNOBS = {"train.epochs", "train.images"}
MAX_BATCH = 64  # images, if the batch size is not searched
TRIED_EPOCHS = 2  # after a first stage; a schedule or a decay has its first effect in the second epoch
BASELINE_AT_ZERO = "where the teacher has no weight the student is the baseline"
MAY_MATTER_LATER = {
    "train.max_norm": "no weights are that long after a few steps; it may matter later",
    "train.class_weights": "the tried images are balanced over the classes; the training images may not be",
}

Weights = dict[str, Tensor]


class KnobEffect(NamedTuple):
    """Effect of one knob, and the two values it was moved between."""

    path: str
    effective: bool
    values: tuple[str, str]
    reason: str  # for no effect, anywhere or somewhere; "" if unknown


class Workbench(NamedTuple):
    """Data for trial trainings, and caches of their inputs and results."""

    data: Dataset
    batch: int | None  # images; None: the batch size of the recipe
    dummy_data: dict[tuple[str, RequestedOutputs], DistillationData]
    weights: dict[tuple[str, int], Weights | None]  # by recipe key and epochs; None: diverged


class RecipePair(NamedTuple):
    """Two recipes with different values of one knob."""

    recipes: tuple[Recipe, Recipe]
    values: tuple[str, str]


def knob_effects(space: Space, data: Dataset) -> Iterator[KnobEffect]:
    """Try each searched knob of method, student and train.

    Raises UserError if a student cannot be trained, also if nothing is searched.
    """
    bench = _workbench(space, data)
    for values in space.probes():
        _weights_after(space, bench, canonical_recipe(space.fill(values, space.seeds[0])), 1)
    for path in space.knobs:
        if path.split(".")[0] in TRIED_PARTS and path not in UNTRIED_KNOBS:
            yield _knob_effect(space, bench, path)


def _workbench(space: Space, data: Dataset) -> Workbench:
    """Take two batches of data, of the smallest searched batch size."""
    smallest = min(space.fill(values, space.seeds[0]).train.batch_size for values in space.probes())
    batch = None if "train.batch_size" in space.knobs else min(max(MAX_BATCH, len(data.classes)), smallest)
    return Workbench(data.take(2 * (batch or smallest), 100, len(data.classes)), batch, {}, {})


def _knob_effect(space: Space, bench: Workbench, path: str) -> KnobEffect:
    """Move a knob until the weights change."""
    unchanged: list[RecipePair] = []
    for pair in _recipe_pairs(space, path):
        if _changes_weights(space, bench, pair):
            reason = BASELINE_AT_ZERO if any(map(_is_baseline_pair, unchanged)) else ""
            return KnobEffect(path, True, pair.values, reason)
        unchanged.append(pair)
    if not unchanged:
        return KnobEffect(path, True, ("", ""), "")  # a choice of one value
    reason = BASELINE_AT_ZERO if all(map(_is_baseline_pair, unchanged)) else MAY_MATTER_LATER.get(path, "")
    return KnobEffect(path, False, unchanged[0].values, reason)


def _recipe_pairs(space: Space, path: str) -> Iterator[RecipePair]:
    """Yield recipes with different values of one knob.

    The other knobs have the values of each probe in turn.
    """
    probes = [values for values in space.probes() if path in values]
    for values in probes:
        for probe in probes:
            moved = _fill_or_none(space, {**probe, **values, path: probe[path]})
            labels = label_text(values[path]), label_text(probe[path])
            if moved is not None and labels[0] != labels[1]:
                yield RecipePair((space.fill(values, space.seeds[0]), moved), labels)


def _fill_or_none(space: Space, values: Values) -> Recipe | None:
    try:
        return space.fill(values, space.seeds[0])
    except UserError:
        return None  # a value of another option, or two values that exclude each other


def _is_baseline_pair(pair: RecipePair) -> bool:
    """Return True if the teacher has no weight in both recipes."""
    return all(
        recipe.method.name != "none" and canonical_recipe(recipe).method.name == "none" for recipe in pair.recipes
    )


def _changes_weights(space: Space, bench: Workbench, pair: RecipePair) -> bool:
    """Train both recipes briefly and compare their weights.

    Options of `train` may differ in values the brief training replaces.
    """
    trains = [recipe.train for recipe in pair.recipes]
    if any(getattr(trains[0], field) != getattr(trains[1], field) for field in EFFECTIVE_FIELDS):
        return True
    epochs = TRIED_EPOCHS + max(method_requirements(recipe.method).first_stage_epochs for recipe in pair.recipes)
    first, second = (_weights_after(space, bench, canonical_recipe(recipe), epochs) for recipe in pair.recipes)
    if first is None or second is None:
        return True  # a diverged student has no weights to compare, but its knobs have an effect
    same = first.keys() == second.keys() and all(first[name].shape == second[name].shape for name in first)
    return not (same and all(torch.equal(first[name], second[name]) for name in first))


def _weights_after(space: Space, bench: Workbench, recipe: Recipe, epochs: int) -> Weights | None:
    """Return the weights after some epochs; train each recipe once."""
    key = recipe.key(), epochs
    if key not in bench.weights:
        changes = {"epochs": min(epochs, recipe.train.epochs), "batch_size": bench.batch or recipe.train.batch_size}
        train = recipe.train.model_copy(update=changes)
        bench.weights[key] = _train_briefly(space, bench, recipe.model_copy(update={"train": train}))
    return bench.weights[key]


def _train_briefly(space: Space, bench: Workbench, recipe: Recipe) -> Weights | None:
    try:
        *_, last = fit(recipe, _dummy_data(bench, recipe))
    except Diverged:
        return None
    except (RuntimeError, ValueError, KeyError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise space.error("method", f"{recipe.method.name} cannot train this student: {reason}") from None
    return {name: value.clone() for name, value in last.state.weights.items()}


def _dummy_data(bench: Workbench, recipe: Recipe) -> DistillationData:
    key = recipe.teacher.model_dump_json() if recipe.teacher else "", requested_outputs([recipe])
    if key not in bench.dummy_data:
        bench.dummy_data[key] = dummy_distillation_data(recipe, bench.data)
    return bench.dummy_data[key]
