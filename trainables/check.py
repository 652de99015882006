"""A recipe against the real signatures and modules, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from spaces.errors import Complaint, UserError, close, nearest
from spaces.recipe import Model, Named, Recipe, Teacher
from trainables.cost import Cost, cost
from trainables.data import DATA, Dataset
from trainables.knobs import problems
from trainables.methods import METHODS, unaided
from trainables.models import MODELS, build
from trainables.teach import weights_file


def judge(recipe: Recipe) -> Iterator[Complaint]:
    """Say what no schema can know: names that are not registered, knobs that a function does not take."""
    yield from _named("data", recipe.data, DATA, "data set")
    yield from _named("student.model", recipe.student.model, MODELS, "model")
    yield from _named("method", recipe.method, METHODS, "method")
    if recipe.teacher is not None:
        yield from _teacher("teacher", recipe.teacher)


def _teacher(path: str, teacher: Teacher) -> Iterator[Complaint]:
    """The same of a teacher, and of those it learnt from or consists of."""
    yield from _named(f"{path}.model", teacher.model, MODELS, "model")
    yield from _named(f"{path}.method", teacher.method, METHODS, "method")
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


def _file(path: str, weights: str) -> Iterator[Complaint]:
    try:
        weights_file(weights)
    except UserError as error:
        yield f"{path}.weights", str(error).removeprefix("teacher.weights: ")


def price(model: Model, data: Dataset) -> Cost:
    """Count the cost of a network built without memory for weights; a UserError where it does not fit the images."""
    try:
        with torch.device("meta"):
            return cost(build(model, data.shape, len(data.classes)), data.shape)
    except (RuntimeError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"model {model.name}: cannot be built for images {list(data.shape)}: {reason}") from None
