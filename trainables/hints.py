"""Hints: the layers a method looks at, and the regressor between them (Romero et al. 2015, sec. 2.2)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from spaces.errors import Complaint, nearest
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.knobs import StudentLayer, TeacherLayer, marked
from trainables.methods import METHODS, needs
from trainables.models import build
from trainables.models.init import glorot
from trainables.output import activations, layer
from trainables.seeding import derive

RECTIFIED = (nn.ReLU, nn.ReLU6)
UNCHANGED = (nn.MaxPool2d, nn.AvgPool2d, nn.Dropout, nn.Flatten, nn.Identity)  # what is positive stays so


def regressor(kind: str, guided: torch.Size, hint: torch.Size, rectified: bool, seed: int) -> nn.Module:
    """A map from a student's activations [batch, ...] to the shape of a teacher's, initialised by a seed.

    `linear` is one matrix, `conv` a convolution without padding whose kernel makes up for the difference in size; both
    end in a ReLU where the hint does. ValueError where there is no such convolution.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "regressor"))
        made = _convolution(guided, hint) if kind == "conv" else _matrix(guided, hint)
        found = glorot(nn.Sequential(*made))
    return nn.Sequential(found, nn.ReLU()) if rectified else found


def _matrix(guided: torch.Size, hint: torch.Size) -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(guided[1:].numel(), hint[1:].numel()), nn.Unflatten(1, hint[1:])]


def _convolution(guided: torch.Size, hint: torch.Size) -> list[nn.Module]:
    if len(guided) != 4 or len(hint) != 4:
        raise ValueError(f"a conv regressor maps planes to planes; found {_shown(guided)} and {_shown(hint)}")
    kernel = [own - other + 1 for own, other in zip(guided[2:], hint[2:], strict=True)]  # 'valid': Romero et al.
    if min(kernel) < 1:
        raise ValueError(f"a conv regressor cannot enlarge: {_shown(guided)} to {_shown(hint)}; take linear")
    return [nn.Conv2d(guided[1], hint[1], (kernel[0], kernel[1]))]


def _shown(shape: torch.Size) -> str:
    return f"[{', '.join(map(str, shape[1:]))}]"


def rectified(model: nn.Module, name: str) -> bool:
    """Whether a layer's outputs come out of a ReLU, perhaps through pooling: the last layer before it that computes."""
    wanted, last = layer(model, name), False
    for module in model.modules():
        if not isinstance(module, UNCHANGED) and not any(module.children()):
            last = isinstance(module, RECTIFIED)
        if module is wanted:
            return last
    return False


def between(recipe: Recipe, data: Dataset) -> nn.Module | None:
    """The regressor that a student's method asks for, built from the real shapes of both networks."""
    asked = needs(recipe.method)
    if asked.regressor is None or recipe.teacher is None:
        return None
    with torch.device("meta"):
        teacher = build(recipe.teacher_recipe().network, data.shape, len(data.classes))
        student = build(recipe.network, data.shape, len(data.classes))
        hint = _shape(teacher, data, asked.teacher[0])
        guided = _shape(student, data, asked.student[0])
    return regressor(asked.regressor, guided, hint, rectified(teacher, asked.teacher[0]), recipe.seed)


def _shape(model: nn.Module, data: Dataset, name: str) -> torch.Size:
    with torch.no_grad():
        return activations(model.eval(), torch.zeros(1, *data.shape), [name])[name].shape


def complaints(recipe: Recipe, data: Dataset) -> Iterator[Complaint]:
    """Say which layers do not exist, with the nearest that does, or why a regressor cannot be built."""
    asked, function = needs(recipe.method), METHODS[recipe.method.name]
    if recipe.teacher is None or recipe.method.name == "none":
        return
    if asked.teacher and len(recipe.teacher.members()) > 1:
        yield f"method.{marked(function, TeacherLayer)[0]}", "an ensemble has no layers of its own; name one teacher"
        return
    with torch.device("meta"):
        networks = [build(each.network, data.shape, len(data.classes)) for each in (recipe, recipe.teacher_recipe())]
    pairs = [(marked(function, StudentLayer), asked.student), (marked(function, TeacherLayer), asked.teacher)]
    wrong = [
        each
        for model, (knobs, names) in zip(networks, pairs, strict=True)
        for each in _absent(model.eval(), data, knobs, names)
    ]
    yield from wrong
    if not wrong:
        try:
            between(recipe, data)
        except ValueError as error:
            yield "method.regressor", str(error)


@torch.no_grad()
def _absent(model: nn.Module, data: Dataset, knobs: tuple[str, ...], names: tuple[str, ...]) -> Iterator[Complaint]:
    """Layers, by knob, that a network on the device "meta" does not have or that give nothing."""
    known, images = [name for name, _ in model.named_modules() if name], torch.zeros(1, *data.shape, device="meta")
    for knob, name in zip(knobs, names, strict=True):
        try:
            given = activations(model, images, [name])
        except AttributeError:
            yield f"method.{knob}", f"no layer {name} in this network{nearest(name, known)}"
        else:
            if name not in given:
                yield f"method.{knob}", f"{name} only holds other layers; name one of them"
