"""A recipe against the real signatures, data and modules, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import torch

from spaces.errors import Complaint, UserError, close, nearest
from spaces.recipe import Method, Model, Named, Recipe, Teacher, Train
from trainables import hints, phases
from trainables.cost import Cost, cost
from trainables.data import DATA, Dataset
from trainables.device import tensor
from trainables.knobs import FirstStage, marked, problems
from trainables.methods import METHODS, unaided
from trainables.models import MODELS, build
from trainables.omitted import correct
from trainables.teachers.teach import weights_file
from trainables.weights import initial as weights


def judge(recipe: Recipe) -> Iterator[Complaint]:
    """Say what no schema can know: names that are not registered, knobs that a function does not take."""
    yield from _named("data", recipe.data, DATA, "data set")
    yield from _named("student.model", recipe.student.model, MODELS, "model")
    yield from _named("method", recipe.method, METHODS, "method")
    yield from _stages("method", recipe.method, recipe.train)
    if recipe.teacher is not None:
        yield from _teacher("teacher", recipe.teacher)


def _teacher(path: str, teacher: Teacher) -> Iterator[Complaint]:
    """The same of a teacher, and of those it learnt from or consists of."""
    yield from _named(f"{path}.model", teacher.model, MODELS, "model")
    yield from _named(f"{path}.method", teacher.method, METHODS, "method")
    yield from _stages(f"{path}.method", teacher.method, teacher.train)
    if teacher.weights:
        yield from _file(path, teacher.weights)
    named = "name" in teacher.method.model_fields_set and teacher.method.name in METHODS
    if named and not unaided(teacher.method) and teacher.teacher is None:
        yield f"{path}.teacher", f"method {teacher.method.name} needs one"
    if teacher.teacher is not None:
        yield from _teacher(f"{path}.teacher", teacher.teacher)
    for index, member in enumerate(teacher.ensemble or ()):
        yield from _teacher(f"{path}.ensemble.{index}", member)


def _named(path: str, part: Named, known: Mapping[str, Callable[..., Any]], kind: str) -> Iterator[Complaint]:
    if part.name not in known:
        yield f"{path}.name", f"{part.name} is no {kind}{nearest(part.name, known)}"
        return
    if "name" not in part.model_fields_set and (meant := [knob for knob in part.knobs if close(knob, ["name"])]):
        yield f"{path}.{meant[0]}", "unknown key; did you mean name?"
        return
    for knob, message in problems(known[part.name], part.knobs, type(part).model_fields):
        yield f"{path}.{knob}", message


def _stages(path: str, method: Method, train: Train) -> Iterator[Complaint]:
    """Whether a method of two stages comes to its second."""
    knobs = marked(METHODS[method.name], FirstStage) if method.name in METHODS else ()
    for knob in knobs:
        given = method.knobs.get(knob)
        if isinstance(given, int) and given >= train.epochs:
            reason = "the second stage, in which classes are learnt, would never come"
            yield (
                f"{path}.{knob}",
                f"found {given}, expected fewer than the {train.epochs} epochs of training: {reason}",
            )


def _file(path: str, weights: str) -> Iterator[Complaint]:
    try:
        weights_file(weights)
    except UserError as error:
        yield f"{path}.weights", str(error).removeprefix("teacher.weights: ")


def complaints(recipe: Recipe, data: Dataset) -> Iterator[Complaint]:
    """Say what only the real data and networks show to be wrong with a student, or with whoever stands behind it."""
    found = list(_behind(recipe, data)) or list(_unbuilt(recipe, data))
    if found:
        yield from found
        return
    for part in (hints.complaints, phases.complaints, weights.complaints, _omit, _weighed):
        yield from part(recipe, data)


def _behind(recipe: Recipe, data: Dataset) -> Iterator[Complaint]:
    for index, own in enumerate(recipe.teacher_recipes()):
        place = f"teacher.ensemble.{index}" if recipe.teacher and recipe.teacher.ensemble else "teacher"
        for path, message in complaints(own, data):
            yield f"{place}.{path.removeprefix('student.')}", message


def _unbuilt(recipe: Recipe, data: Dataset) -> Iterator[Complaint]:
    try:
        price(recipe.network, data)
    except UserError as error:
        yield "student.model", str(error)


def _omit(recipe: Recipe, data: Dataset) -> Iterator[Complaint]:
    """What is wrong with the classes that are left out, and whether the biases of this network can be corrected."""
    omit, classes = recipe.train.omit, len(data.classes)
    if omit is None:
        return
    if beyond := [number for number in omit.classes if number >= classes]:
        yield "train.omit.classes", f"found {beyond[0]}, expected classes from 0 to {classes - 1}"
    elif len(set(omit.classes)) == classes:
        yield "train.omit.classes", f"all {classes} classes are left out, and nothing is left to train on"
    elif omit.correct_bias:
        images, labels = (tensor(array[:10], torch.device("cpu")) for array in data.val)
        try:
            correct(build(recipe.network, data.shape, classes), images, labels, omit.classes)
        except ValueError as error:
            yield "train.omit.correct_bias", str(error).removeprefix("train.omit.correct_bias: ")


def _weighed(recipe: Recipe, data: Dataset) -> Iterator[Complaint]:
    """Whether each class has a weight."""
    given, classes = recipe.train.class_weights, len(data.classes)
    if isinstance(given, list) and len(given) != classes:
        yield "train.class_weights", f"found {len(given)} weights, expected one for each of the {classes} classes"


def price(model: Model, data: Dataset) -> Cost:
    """Count the cost of a network built without memory for weights; a UserError where it does not fit the images."""
    return _priced(model.model_dump_json(), MODELS.get(model.name), data.shape, len(data.classes))


@cache  # a search asks for the same few networks, student by student
def _priced(written: str, _builder: object, shape: tuple[int, int, int], classes: int) -> Cost:
    model = Model.model_validate_json(written)
    try:
        with torch.device("meta"):
            return cost(build(model, shape, classes), shape)
    except (RuntimeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"model {model.name}: cannot be built for images {list(shape)}: {reason}") from None
