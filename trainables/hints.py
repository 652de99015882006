"""Problems of a method's layers."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from spaces.errors import Problem, did_you_mean
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.device import module_device
from trainables.knobs import StudentLayer, TeacherLayer, marked_knobs
from trainables.method_module import build_method_module
from trainables.methods import METHODS, knobs_with_defaults
from trainables.models import build_without_memory
from trainables.observed_shapes import LayersError
from trainables.output import layer_activations


def hint_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield missing layers, or the problem of the method's module."""
    missing = list(missing_layers(recipe, data))
    yield from missing
    if not missing:
        try:
            build_method_module(recipe, data, torch.device("cpu"))
        except LayersError as error:
            yield f"method.{error.knob}", str(error)


def missing_layers(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield observed layers missing in the networks."""
    function = METHODS[recipe.method.name]
    if recipe.teacher is None or recipe.method.name == "none":
        return
    student_knobs, teacher_knobs = marked_knobs(function, StudentLayer), marked_knobs(function, TeacherLayer)
    if teacher_knobs and len(recipe.teacher.members()) > 1:
        yield f"method.{teacher_knobs[0]}", "an ensemble has no layers; use a teacher of one network"
        return
    knobs = knobs_with_defaults(recipe.method)
    yield from _missing_layers(recipe, data, {name: knobs[name] for name in student_knobs})
    yield from _missing_layers(recipe.teacher_recipe(), data, {name: knobs[name] for name in teacher_knobs})


@torch.no_grad()
def _missing_layers(recipe: Recipe, data: Dataset, knobs: dict[str, str | list[str]]) -> Iterator[Problem]:
    """Yield layers without activations, by knob."""
    if not knobs:
        return
    model = build_without_memory(recipe.network, data.shape, len(data.classes))
    images = torch.zeros(1, *data.shape, device=module_device(model))
    names = [name for name, _ in model.named_modules() if name]
    if not names:
        reason = f"the network {recipe.network.name} has no layers to observe; choose another method"
        yield f"method.{next(iter(knobs))}", reason
        return
    for knob, value in knobs.items():
        for layer in [value] if isinstance(value, str) else value:
            try:
                activations = layer_activations(model, images, [layer])
            except AttributeError:
                yield f"method.{knob}", f"no layer {layer} in this network{did_you_mean(layer, names)}"
            else:
                if layer not in activations:
                    yield f"method.{knob}", f"{layer} only contains other layers; use one of them"
