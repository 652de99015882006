"""Validation of a recipe before training.

`recipe_problems` checks it against signatures, `data_problems` against the data and the networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from spaces.errors import Problem, UserError, did_you_mean
from spaces.parts import Method, NamedPart, Normalization
from spaces.recipe import Recipe, Teacher
from spaces.training import Train
from spaces.unknown_key import find_misspelled, unknown_key
from trainables.cost import network_cost
from trainables.data import DATASETS, Dataset
from trainables.device import to_tensor
from trainables.hints import hint_problems
from trainables.knobs import FirstStage, knob_problems, marked_knobs
from trainables.methods import METHODS, is_teacher_free
from trainables.models import MODELS, build_network
from trainables.omitted import correct_biases
from trainables.phases import phase_problems
from trainables.weights.initial import find_weights_file, initial_weight_problems


def recipe_problems(recipe: Recipe) -> Iterator[Problem]:
    """Yield unknown names, and knobs not accepted by their functions."""
    yield from _part_problems("data", recipe.data, DATASETS, "data set")
    yield from _part_problems("student.model", recipe.student.model, MODELS, "model")
    yield from _part_problems("method", recipe.method, METHODS, "method")
    yield from _stage_problems("method", recipe.method, recipe.train)
    if recipe.teacher is not None:
        yield from _teacher_problems("teacher", recipe.teacher)


def _teacher_problems(path: str, teacher: Teacher) -> Iterator[Problem]:
    """Yield the same for a teacher, its teachers and its members."""
    yield from _part_problems(f"{path}.model", teacher.model, MODELS, "model")
    yield from _part_problems(f"{path}.method", teacher.method, METHODS, "method")
    yield from _stage_problems(f"{path}.method", teacher.method, teacher.train)
    if teacher.weights:
        yield from _weights_problems(path, teacher.weights)
    method_set = "name" in teacher.method.model_fields_set and teacher.method.name in METHODS
    if method_set and not is_teacher_free(teacher.method) and teacher.teacher is None:
        yield f"{path}.teacher", f"required by method {teacher.method.name}"
    if teacher.teacher is not None:
        yield from _teacher_problems(f"{path}.teacher", teacher.teacher)
    for index, member in enumerate(teacher.ensemble or ()):
        yield from _teacher_problems(f"{path}.ensemble.{index}", member)


def _part_problems(
    path: str, part: NamedPart, functions: Mapping[str, Callable[..., Any]], kind: str
) -> Iterator[Problem]:
    if part.name not in functions:
        yield f"{path}.name", f"{part.name} is no {kind}{did_you_mean(part.name, functions)}"
        return
    if "name" not in part.model_fields_set and (misspelled := find_misspelled("name", part.knobs)):
        yield f"{path}.{misspelled}", unknown_key(misspelled, ["name"])
        return
    searchable = path != "data" and ".ensemble." not in path
    for knob, message in knob_problems(functions[part.name], part.knobs, type(part).model_fields, searchable):
        yield f"{path}.{knob}", message


def _stage_problems(path: str, method: Method, train: Train) -> Iterator[Problem]:
    """Yield a first stage of all epochs."""
    for knob in marked_knobs(METHODS[method.name], FirstStage) if method.name in METHODS else ():
        epochs = method.knobs.get(knob)
        if isinstance(epochs, int) and epochs >= train.epochs:
            yield (
                f"{path}.{knob}",
                f"found {epochs}, expected fewer than the {train.epochs} epochs of training: "
                "the second stage, which trains on the labels, would have no epochs",
            )


def _weights_problems(path: str, weights: str) -> Iterator[Problem]:
    try:
        find_weights_file(weights)
    except UserError as error:
        yield f"{path}.weights", str(error).removeprefix("teacher.weights: ")


def data_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield problems of a student and its teachers with the data."""
    first = list(_teacher_data_problems(recipe, data)) or list(_network_problems(recipe, data))
    if first:  # the other checks need networks that can be built
        yield from first
        return
    yield from hint_problems(recipe, data)
    yield from phase_problems(recipe, data)
    yield from initial_weight_problems(recipe, data)
    yield from _normalization_problems(recipe, data)
    yield from _omit_problems(recipe, data)
    yield from _batch_size_problems(recipe, data)
    yield from _class_weight_problems(recipe, data)


def _teacher_data_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    for index, teacher in enumerate(recipe.teacher_recipes()):
        prefix = f"teacher.ensemble.{index}" if recipe.teacher and recipe.teacher.ensemble else "teacher"
        for path, message in data_problems(teacher, data):
            yield f"{prefix}.{path.removeprefix('student.')}", message


def _network_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    try:
        network_cost(recipe.network, data)
    except UserError as error:
        yield "student.model", str(error)


def _normalization_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield a mean outside the range of divided images."""
    normalize = recipe.network.normalize
    if not isinstance(normalize, Normalization) or data.train.images.dtype != np.uint8:
        return
    for mean in normalize.mean:
        if not 0 <= mean <= 1:
            yield (
                "student.model.normalize",
                f"found a mean of {mean:g}, expected 0 to 1: images are divided by 255 before",
            )


def _omit_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield unknown omitted classes, and a network without correctable biases."""
    omit, classes = recipe.train.omit, len(data.classes)
    if omit is None:
        return
    if unknown := [number for number in omit.classes if number >= classes]:
        yield "train.omit.classes", f"found {unknown[0]}, expected classes from 0 to {classes - 1}"
    elif len(set(omit.classes)) == classes:
        yield "train.omit.classes", f"all {classes} classes are omitted; leave at least one to train on"
    elif omit.correct_bias:
        images, labels = (to_tensor(array[:10], torch.device("cpu")) for array in data.val)
        try:
            correct_biases(build_network(recipe.network, data.shape, classes), images, labels, omit.classes)
        except ValueError as error:
            yield "train.omit.correct_bias", str(error).removeprefix("train.omit.correct_bias: ")


def _batch_size_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield a batch size in the file above the number of training images; the default may be larger."""
    images, batch_size = len(data.train.labels), recipe.train.batch_size
    if "batch_size" in recipe.train.model_fields_set and batch_size > images:
        yield "train.batch_size", f"found {batch_size:,}, expected at most the {images:,} training images"


def _class_weight_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    weights, classes = recipe.train.class_weights, len(data.classes)
    if isinstance(weights, list) and len(weights) != classes:
        yield "train.class_weights", f"found {len(weights)} weights, expected one for each of the {classes} classes"
