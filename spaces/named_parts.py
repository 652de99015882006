"""Validation of named parts: data set, network and method.

Their keys are the knobs of functions in trainables. A SignatureSource describes these functions: that of the
registries (trainables/validate.py) knows plugins too, that of the generated schema (spaces/catalogue/signatures.py)
needs no torch. The rules and their messages are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, create_model

from spaces.disk import existing_file
from spaces.errors import Problem, UserError, did_you_mean
from spaces.parts import Method, NamedPart, NetworkSpec, conflict_error
from spaces.pydantic_errors import validation_problems
from spaces.recipe import Recipe, Teacher
from spaces.training import Train
from spaces.unknown_key import find_misspelled, unknown_key

WEIGHTS_IN_FOLDER = ("model.safetensors", "pytorch_model.bin")  # of Hugging Face
NAMED_KINDS = {"data": "data set", "model": "model", "method": "method"}


class Signature(NamedTuple):
    """Knobs of one function."""

    knobs: type[BaseModel]
    first_stage: tuple[str, ...] = ()  # knobs of a method: epochs before the optimizer starts afresh
    needs_teacher: bool = False  # of a method


class SignatureSource(NamedTuple):
    """Functions by kind and name; the kinds are data, model and method."""

    names: Callable[[str], Sequence[str]]  # of a kind
    signature: Callable[[str, str], Signature]  # of a kind and a name


def knob_model(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    """Return a strict pydantic model of knobs."""
    config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    return create_model(name, __config__=config, **fields)


def knob_model_problems(
    model: type[BaseModel], knobs: dict[str, Any], other_keys: Iterable[str] = (), searchable: bool = True
) -> list[Problem]:
    """Return the problems of these knobs.

    `other_keys` may stand beside the knobs, for example `name`; they are suggested for a misspelled key.
    `searchable` allows the advice to write a list as a choice.
    """
    try:
        model.model_validate(knobs)
    except ValidationError as error:
        return list(validation_problems(error, model, other_keys, searchable))
    return []


def network_validator(source: SignatureSource) -> AfterValidator:
    """Return the validator of a network inside another network."""

    def validate(part: dict[str, Any]) -> dict[str, Any]:
        if problems := _nested_problems(part, source):
            raise ValidationError.from_exception_data(
                "part", [{"type": conflict_error(*problem), "input": part} for problem in problems]
            )
        return part

    return AfterValidator(validate)


def _nested_problems(part: dict[str, Any], source: SignatureSource) -> list[Problem]:
    try:
        model = NetworkSpec.model_validate(part)
    except ValidationError as error:
        return list(validation_problems(error, NetworkSpec))
    if model.name not in (names := source.names("model")):
        return [("name", f"{model.name} is no model{did_you_mean(model.name, names)}")]
    return knob_model_problems(source.signature("model", model.name).knobs, model.knobs, NetworkSpec.model_fields)


def part_problems(recipe: Recipe, source: SignatureSource) -> Iterator[Problem]:
    """Yield unknown names, and knobs not accepted by their functions."""
    yield from _named_part_problems("data", recipe.data, "data", source)
    yield from _named_part_problems("student.model", recipe.student.model, "model", source)
    yield from _named_part_problems("method", recipe.method, "method", source)
    yield from _stage_problems("method", recipe.method, recipe.train, source)
    if recipe.teacher is not None:
        yield from _teacher_problems("teacher", recipe.teacher, source)


def _teacher_problems(path: str, teacher: Teacher, source: SignatureSource) -> Iterator[Problem]:
    """Yield the same for a teacher, its teachers and its members."""
    method = teacher.method
    yield from _named_part_problems(f"{path}.model", teacher.model, "model", source)
    yield from _named_part_problems(f"{path}.method", method, "method", source)
    yield from _stage_problems(f"{path}.method", method, teacher.train, source)
    if teacher.weights:
        yield from _weights_problems(path, teacher.weights)
    method_set = "name" in method.model_fields_set and method.name in source.names("method")
    if method_set and source.signature("method", method.name).needs_teacher and teacher.teacher is None:
        yield f"{path}.teacher", f"required by method {method.name}"
    if teacher.teacher is not None:
        yield from _teacher_problems(f"{path}.teacher", teacher.teacher, source)
    for index, member in enumerate(teacher.ensemble or ()):
        yield from _teacher_problems(f"{path}.ensemble.{index}", member, source)


def _named_part_problems(path: str, part: NamedPart, kind: str, source: SignatureSource) -> Iterator[Problem]:
    if part.name not in (names := source.names(kind)):
        yield f"{path}.name", f"{part.name} is no {NAMED_KINDS[kind]}{did_you_mean(part.name, names)}"
        return
    if "name" not in part.model_fields_set and (misspelled := find_misspelled("name", part.knobs)):
        yield f"{path}.{misspelled}", unknown_key(misspelled, ["name"])
        return
    searchable = path != "data" and ".ensemble." not in path
    knobs = source.signature(kind, part.name).knobs
    for knob, message in knob_model_problems(knobs, part.knobs, type(part).model_fields, searchable):
        yield f"{path}.{knob}", message


def _stage_problems(path: str, method: Method, train: Train, source: SignatureSource) -> Iterator[Problem]:
    """Yield a first stage of all epochs."""
    if method.name not in source.names("method"):
        return
    for knob in source.signature("method", method.name).first_stage:
        epochs = method.knobs.get(knob)
        if isinstance(epochs, int) and epochs >= train.epochs:
            yield (
                f"{path}.{knob}",
                f"found {epochs}, expected fewer than the {train.epochs} epochs of training: "
                "the second stage, which trains on the labels, would have no epochs",
            )


def _weights_problems(path: str, weights: str) -> Iterator[Problem]:
    try:
        existing_file(weights, WEIGHTS_IN_FOLDER)
    except UserError as error:
        yield f"{path}.weights", str(error)
