"""Hint layers, and the regressor between them (Romero et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from spaces.errors import Problem, did_you_mean
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.knobs import StudentLayer, TeacherLayer, marked_knobs
from trainables.methods import METHODS, method_requirements
from trainables.models import build_without_memory
from trainables.models.weight_init import glorot_init
from trainables.output import get_layer, layer_activations
from trainables.seeding import derive_seed

RECTIFIERS = (nn.ReLU, nn.ReLU6)
SIGN_PRESERVING = (nn.MaxPool2d, nn.AvgPool2d, nn.Dropout, nn.Flatten, nn.Identity)  # of values ≥ 0


def build_regressor(kind: str, guided: torch.Size, hint: torch.Size, rectified: bool, seed: int) -> nn.Module:
    """Return a map from a student's layer to a teacher's layer.

    It is section 2.2 of the paper. Kind `linear` is one matrix. Kind `conv` is a convolution without padding; the
    difference of the sizes gives its kernel. Both end in a ReLU if the hint is rectified. Raises ValueError if no such
    convolution exists.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "regressor"))
        layers = _conv_regressor(guided, hint) if kind == "conv" else _linear_regressor(guided, hint)
        regressor = glorot_init(nn.Sequential(*layers))
    return nn.Sequential(regressor, nn.ReLU()) if rectified else regressor


def _linear_regressor(guided: torch.Size, hint: torch.Size) -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(guided[1:].numel(), hint[1:].numel()), nn.Unflatten(1, hint[1:])]


def _conv_regressor(guided: torch.Size, hint: torch.Size) -> list[nn.Module]:
    if len(guided) != 4 or len(hint) != 4:
        raise ValueError(
            f"a conv regressor maps [channels, height, width]; found {_shape_text(guided)} and {_shape_text(hint)}"
        )
    kernel = [size - target + 1 for size, target in zip(guided[2:], hint[2:], strict=True)]  # no padding: Romero et al.
    if min(kernel) < 1:
        raise ValueError(
            f"a conv regressor cannot enlarge {_shape_text(guided)} to {_shape_text(hint)}; use regressor: linear"
        )
    return [nn.Conv2d(guided[1], hint[1], (kernel[0], kernel[1]))]


def _shape_text(shape: torch.Size) -> str:
    return f"[{', '.join(map(str, shape[1:]))}]"


def is_rectified(model: nn.Module, name: str) -> bool:
    """Return True if a layer's activations come from a ReLU.

    Pooling, dropout and flattening may lie between.
    """
    target, rectified = get_layer(model, name), False
    for module in model.modules():
        if not isinstance(module, SIGN_PRESERVING) and not any(module.children()):
            rectified = isinstance(module, RECTIFIERS)
        if module is target:
            return rectified
    return False


def method_regressor(recipe: Recipe, data: Dataset) -> nn.Module | None:
    """Return the regressor required by a method, or None."""
    required = method_requirements(recipe.method)
    if required.regressor is None or recipe.teacher is None:
        return None
    teacher = build_without_memory(recipe.teacher_recipe().network, data.shape, len(data.classes))
    student = build_without_memory(recipe.network, data.shape, len(data.classes))
    hint = _layer_shape(teacher, data, required.teacher_layers[0])
    guided = _layer_shape(student, data, required.student_layers[0])
    rectified = is_rectified(teacher, required.teacher_layers[0])
    return build_regressor(required.regressor, guided, hint, rectified, recipe.seed)


def _layer_shape(model: nn.Module, data: Dataset, name: str) -> torch.Size:
    with torch.no_grad(), next(model.parameters()).device:
        return layer_activations(model, torch.zeros(1, *data.shape), [name])[name].shape


def hint_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield missing layers, and the reason if the regressor cannot be built."""
    required, function = method_requirements(recipe.method), METHODS[recipe.method.name]
    if recipe.teacher is None or recipe.method.name == "none":
        return
    student_knobs, teacher_knobs = marked_knobs(function, StudentLayer), marked_knobs(function, TeacherLayer)
    if required.teacher_layers and len(recipe.teacher.members()) > 1:
        yield f"method.{teacher_knobs[0]}", "an ensemble has no layers; use a teacher of one network"
        return
    student = _missing_layers(recipe, data, student_knobs, required.student_layers)
    teacher = _missing_layers(recipe.teacher_recipe(), data, teacher_knobs, required.teacher_layers)
    missing = [*student, *teacher]
    yield from missing
    if not missing:
        try:
            method_regressor(recipe, data)
        except ValueError as error:
            yield "method.regressor", str(error)


@torch.no_grad()
def _missing_layers(recipe: Recipe, data: Dataset, knobs: Sequence[str], layers: Sequence[str]) -> Iterator[Problem]:
    """Yield layers without activations, by knob."""
    model = build_without_memory(recipe.network, data.shape, len(data.classes))
    images = torch.zeros(1, *data.shape, device=next(model.parameters()).device)
    names = [name for name, _ in model.named_modules() if name]
    for knob, layer in zip(knobs, layers, strict=True):
        try:
            activations = layer_activations(model, images, [layer])
        except AttributeError:
            yield f"method.{knob}", f"no layer {layer} in this network{did_you_mean(layer, names)}"
        else:
            if layer not in activations:
                yield f"method.{knob}", f"{layer} only contains other layers; use one of them"
