"""Validation of a recipe before training.

`recipe_problems` checks it against signatures, `data_problems` against the data and the networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from spaces.errors import Problem, UserError
from spaces.named_parts import Signature, SignatureSource, part_problems
from spaces.parts import Normalization
from spaces.recipe import Recipe
from trainables.batches import training_indices, uses_unlabeled
from trainables.cost import network_cost
from trainables.data import DATASETS, Dataset
from trainables.declare import declaration_of
from trainables.device import to_tensor
from trainables.hints import hint_problems
from trainables.knobs import FirstStage, knob_schema, marked_knobs
from trainables.methods import METHODS, needs_teacher
from trainables.models import MODELS, build_network
from trainables.models.build import FILE_NETWORKS
from trainables.omitted import correct_biases
from trainables.phases import phase_problems
from trainables.plugin_contract import contract_problems
from trainables.saved_teachers import saved_teacher_problems
from trainables.weights.initial import initial_weight_problems
from trainables.weights.teacher_weights import teacher_weights_problem

REGISTRIES: dict[str, Mapping[str, Callable[..., Any]]] = {"data": DATASETS, "model": MODELS, "method": METHODS}


def recipe_problems(recipe: Recipe) -> Iterator[Problem]:
    """Yield unknown names, and knobs not accepted by their functions."""
    return part_problems(recipe, SignatureSource(lambda kind: list(REGISTRIES[kind]), registered_signature))


def registered_signature(kind: str, name: str) -> Signature:
    """Return the signature of a registered data set, network or method."""
    function, is_method = REGISTRIES[kind][name], kind == "method"
    return Signature(knob_schema(function), marked_knobs(function, FirstStage), is_method and needs_teacher(name))


def data_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield problems of a student and its teachers with the data."""
    first = list(_teacher_data_problems(recipe, data))
    first = first or list(contract_problems(recipe, data)) or list(_network_problems(recipe, data))
    if first:  # the other checks need networks that can be built
        yield from first
        return
    yield from hint_problems(recipe, data)
    yield from phase_problems(recipe, data)
    yield from initial_weight_problems(recipe, data)
    yield from _normalization_problems(recipe, data)
    yield from _augment_problems(recipe, data)
    yield from _omit_problems(recipe, data)
    yield from _image_count_problems(recipe, data)
    yield from _class_weight_problems(recipe, data)
    yield from _unlabeled_problems(recipe, data)
    if recipe.train.loss and recipe.network.name == "routed":
        yield "train.loss", "a routed network is trained by cross-entropy only; remove this key"


def _teacher_data_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    members = recipe.teacher.members() if recipe.teacher else []
    for index, (member, teacher) in enumerate(zip(members, recipe.teacher_recipes(), strict=True)):
        prefix = f"teacher.ensemble.{index}" if recipe.teacher and recipe.teacher.ensemble else "teacher"
        problems = list(data_problems(teacher, data))
        yield from ((f"{prefix}.{path.removeprefix('student.')}", message) for path, message in problems)
        if member.weights and not problems:  # the file is compared with a network that can be built
            misfit = teacher_weights_problem(member.weights, teacher.network, data)
            yield from [(f"{prefix}.weights", misfit)] if misfit else []
        if not problems:
            misfits = saved_teacher_problems(recipe, teacher, data)
            yield from ((f"{prefix}.{path}", message) for path, message in misfits)


def _network_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    name = recipe.network.name
    if name in FILE_NETWORKS and recipe.train.epochs:
        yield "student.model", f"{name}: for a teacher that is not trained: train: {{epochs: 0}}"
        return
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


def _augment_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield augmentation of inputs other than images."""
    train, is_uint8 = recipe.train, data.train.images.dtype == np.uint8
    key = "train.augment" if train.augment else "train.shift"
    if train.augment_policy and not data.are_images:
        yield key, f"for images [channels, height, width] only, but the inputs are {list(data.shape)}"
    elif train.augment and train.augment.color and not is_uint8:
        yield "train.augment.color", "for uint8 images only, but the inputs are float32"


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


def _image_count_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield more images than there are, and a batch size in the file above their number.

    The default batch size may be larger, and a smoke test may ask for more than its generated images.
    """
    if data.is_generated:
        return
    train, indices = recipe.train, training_indices(recipe.train, data.train.labels, uses_unlabeled(recipe))
    images, classes = len(indices), len(data.classes) - len(train.omit.classes if train.omit else ())
    if train.images is not None and train.images > images:
        yield "train.images", f"found {train.images:,}, expected at most the {images:,} training images"
    elif train.images is not None and train.images < classes:
        yield "train.images", f"found {train.images:,}, expected at least one for each of {classes} classes"
    if train.epochs and "batch_size" in train.model_fields_set and train.batch_size > images:
        yield "train.batch_size", f"found {train.batch_size:,}, expected at most the {images:,} training images"


def _unlabeled_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    unlabeled = len(data.train.labels) - len(data.train.labeled)
    if unlabeled and declaration_of(METHODS[recipe.method.name]).needs_labels:
        reason = f"its teacher's term reads the labels, and {unlabeled:,} training images have none"
        yield "method.name", f"{recipe.method.name}: {reason}; choose another method, or remove these images"


def _class_weight_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    weights, classes = recipe.train.class_weights, len(data.classes)
    if isinstance(weights, list) and len(weights) != classes:
        yield "train.class_weights", f"found {len(weights)} weights, expected one for each of the {classes} classes"
