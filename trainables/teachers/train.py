"""Training of teachers, or loading them from the cache."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables import checkpoint
from trainables.cost import count_cost, measure_latency
from trainables.data import Dataset
from trainables.device import process_device
from trainables.distillation_data import DistillationData, RequestedOutputs, TeacherOutputs, requested_outputs
from trainables.fit import EpochResult, fit
from trainables.models import build_network
from trainables.models.recorded import RecordedNetwork
from trainables.teachers import cache
from trainables.teachers.cache import CachedTeacher, teacher_folder
from trainables.teachers.home import CacheHome
from trainables.teachers.key import member_recipes, teacher_key
from trainables.teachers.outputs import (
    add_requested_outputs,
    average_outputs,
    compute_outputs,
    count_uncached_views,
    score_outputs,
)
from trainables.weights.initial import load_initial_weights
from trainables.weights.teacher_weights import load_teacher_weights
from trainables.weights.weights_file import find_weights_file


class TrainingStarted(NamedTuple):
    """Event: the training of one teacher begins."""

    model: str  # name of its network
    epochs: int


class OutputsStarted(NamedTuple):
    """Event: outputs for augmented views are about to be computed."""

    model: str  # name of the teacher's network
    images: int  # each view of a training image counts as one


class TeacherResult(NamedTuple):
    """Outputs and record of a trained teacher.

    The record holds scores, costs, training seconds, and whether the teacher was cached. Its entry `behind` lists the
    records of the teachers it was trained from, or of an ensemble's members.
    """

    outputs: TeacherOutputs
    record: dict[str, Any]


TeacherEvent = TrainingStarted | EpochResult | OutputsStarted
LOGITS_ONLY = RequestedOutputs()
THIS_MACHINE = CacheHome()


def train_teacher(
    recipe: Recipe, data: Dataset, requested: RequestedOutputs = LOGITS_ONLY, home: CacheHome = THIS_MACHINE
) -> Iterator[TeacherEvent | TeacherResult]:
    """Train a recipe's teacher, or load it from the cache.

    Yields events, then the result.
    """
    members = []
    for member in member_recipes(recipe):
        members.append((yield from _train_or_load(member, data, requested, home)))
    yield members[0] if len(members) == 1 else _ensemble_result(recipe, data, members)


def is_cached(recipe: Recipe, data: Dataset) -> bool:
    """Return True if all members of a recipe's teacher are cached.

    The files are not read or checked.
    """
    return all(cache.is_complete(teacher_folder(teacher_key(member, data))) for member in member_recipes(recipe))


def load_cached_teacher(recipe: Recipe, data: Dataset) -> TeacherResult | None:
    """Load a teacher, or return None if anything must be computed.

    That is the case for a teacher that is absent or damaged, an ensemble, or a network with extra outputs.
    """
    if recipe.teacher is None or recipe.teacher.ensemble:
        return None
    folder = teacher_folder(teacher_key(recipe, data))
    if not cache.is_complete(folder):
        return None
    model = build_network(recipe.teacher_recipe().network, data.shape, len(data.classes)).to(process_device())
    if hasattr(model, "extra_outputs"):
        return None
    with THIS_MACHINE.locked(folder):
        teacher = _read_cached(folder, model, data)
    return _teacher_result(model, data, teacher, cached=True) if teacher else None


def _train_or_load(
    recipe: Recipe, data: Dataset, requested: RequestedOutputs, home: CacheHome
) -> Generator[TeacherEvent, None, TeacherResult]:
    """Train one teacher, or load it, and add the requested outputs."""
    key, own = teacher_key(recipe, data), recipe.teacher_recipe()
    folder = teacher_folder(key)
    model = build_network(own.network, data.shape, len(data.classes), own.seed).to(process_device())
    with home.locked(folder):
        home.fetch(folder)
        teacher = _read_cached(folder, model, data)
        cached = teacher is not None
        if teacher is None:
            teacher = yield from _train_uncached(recipe, data, folder, model, home)
            cache.write_teacher(folder, teacher)
        if images := count_uncached_views(folder, data, requested):
            yield OutputsStarted(own.student.model.name, images)
        outputs = add_requested_outputs(folder, model, data, teacher.outputs, requested)
        home.publish(folder)
    return _teacher_result(model, data, teacher._replace(outputs=outputs), cached)


def _read_cached(folder: Path, model: nn.Module, data: Dataset) -> CachedTeacher | None:
    """Read a cached teacher and load its weights into the model."""
    teacher = cache.read_teacher(folder)
    if teacher is not None:
        model.load_state_dict(teacher.weights)
        # Scores are computed again, because records of earlier versions have fewer.
        teacher = teacher._replace(record=teacher.record | score_outputs(teacher.outputs, data))
    return teacher


def _train_uncached(
    recipe: Recipe, data: Dataset, folder: Path, model: nn.Module, home: CacheHome
) -> Generator[TeacherEvent, None, CachedTeacher]:
    """Train the model as the recipe's teacher, and compute its logits.

    With `teacher.weights`, the weights are read instead.
    """
    assert recipe.teacher is not None
    own = recipe.teacher_recipe()
    epochs, seconds, behind = 0, 0.0, list[dict[str, Any]]()
    initial = load_initial_weights(model)
    if recipe.teacher.weights:
        load_teacher_weights(model, find_weights_file(recipe.teacher.weights))
    elif own.train.epochs:
        epochs, seconds, behind = yield from _train_epochs(own, data, folder, model, home)
    outputs, scores = compute_outputs(model, data)
    record = {"key": folder.name, "seed": recipe.teacher.seed, "epochs": epochs, **scores}
    cost = count_cost(model, data.shape)
    record |= {"train_seconds": seconds, "parameters": cost.parameters or None, "macs": cost.macs or None}
    record["behind"] = behind
    if initial:
        record["weights"] = [part._asdict() for part in initial]
    return CachedTeacher(dict(model.state_dict()), outputs, record)


def _train_epochs(
    own: Recipe, data: Dataset, folder: Path, model: nn.Module, home: CacheHome
) -> Generator[TeacherEvent, None, tuple[int, float, list[dict[str, Any]]]]:
    """Train by the teacher's own recipe.

    An unfinished training is resumed from its checkpoint. Returns the number of epochs, their seconds, and the records
    of the teachers it was trained from.
    """
    outputs, behind, unfinished = None, [], folder / cache.CHECKPOINT
    if own.teacher is not None:
        for item in train_teacher(own, data, requested_outputs([own]), home):
            if isinstance(item, TeacherResult):
                outputs, behind = item.outputs, _records_with_own(item)
            else:
                yield item
    try:
        start = checkpoint.load_checkpoint(unfinished) if unfinished.exists() else None
    except UserError:
        start = None  # a damaged checkpoint costs its own epochs, nothing else
    yield TrainingStarted(own.student.model.name, own.train.epochs)
    for epoch in fit(own, DistillationData(data, outputs), start=start):
        checkpoint.save_checkpoint(unfinished, epoch.state)
        home.publish(folder)
        yield epoch
    state = checkpoint.load_checkpoint(unfinished)
    model.load_state_dict(state.weights)
    return state.epoch, state.total_seconds, behind


def _teacher_result(model: nn.Module, data: Dataset, teacher: CachedTeacher, cached: bool) -> TeacherResult:
    is_network = not isinstance(model, RecordedNetwork)
    latency_ms = measure_latency(model, data.shape) if is_network else None  # on this machine
    measured = {"cached": cached, "latency_ms": latency_ms}
    return TeacherResult(teacher.outputs, teacher.record | measured)


def _ensemble_result(recipe: Recipe, data: Dataset, members: list[TeacherResult]) -> TeacherResult:
    """Average the members' outputs, and add up their costs."""
    assert recipe.teacher is not None
    outputs, scores = average_outputs([member.outputs for member in members], data)
    record = {"key": teacher_key(recipe, data), "seed": recipe.teacher.seed, **scores}
    record["cached"] = all(member.record["cached"] for member in members)
    for total in ("epochs", "train_seconds", "parameters", "macs", "latency_ms"):
        parts = [member.record[total] for member in members]
        record[total] = None if None in parts else sum(parts)
    record["behind"] = [entry for member in members for entry in _records_with_own(member)]
    return TeacherResult(outputs, record)


def _records_with_own(result: TeacherResult) -> list[dict[str, Any]]:
    """Return the records behind a teacher, and its own."""
    return [*result.record["behind"], result.record | {"behind": []}]
