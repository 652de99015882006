"""Weights that a network starts from, or that are a teacher: a file on disk, or what torchvision has published."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spaces.errors import Complaint, UserError
from spaces.recipe import Recipe
from trainables.data import Dataset, Missing
from trainables.data.root import expanded
from trainables.models import build
from trainables.weights import published, tensor_file
from trainables.weights.published import digest

PUBLISHED = "imagenet"  # the word for torchvision's weights
MIDDLE = ("aux1.", "aux2.")  # heads of GoogLeNet that only its first training needed
OLD = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")  # as files of DenseNet from before 2018 name its layers


class Began(NamedTuple):
    """What a network, or the part of one at a dotted path, starts from; `renewed` are layers that start by the seed."""

    part: str
    file: str
    sha256: str
    renewed: list[str]


def begin(network: nn.Module) -> list[Began]:
    """Fill a network, or parts of it, with the weights that its recipe starts from; nothing where it names none.

    The first and the last layers may be of other shapes, for other images and classes: these keep the weights of their
    seed and are told. A UserError names the file and the tensors where anything else does not fit.
    """
    return [_begin(part, module) for part, module in _parts(network)]


def _begin(part: str, module: nn.Module) -> Began:
    path = _file(module)
    weights, renewed = _fitting(module, path)
    module.load_state_dict(weights, strict=False)
    return Began(part, path.name, digest(path), renewed)


def complaints(recipe: Recipe, data: Dataset) -> Iterator[Complaint]:
    """Say what is wrong with the weights that a student starts from; published ones may still be missing.

    The network is built without memory.
    """
    for part, module in _begun(recipe, data):
        try:
            _fitting(module, _file(module))
        except Missing:
            continue
        except UserError as error:
            message = str(error).removeprefix("model.weights: ")
            yield "student.model.weights", f"{part}: {message}" if part else message


def digests(recipe: Recipe, data: Dataset) -> list[str]:
    """The contents of the files that a recipe's network starts from, in hexadecimal digits; empty where there are none.

    A UserError where one is not there.
    """
    return [digest(_file(module)) for _, module in _begun(recipe, data)]


def obtain(recipe: Recipe, data: Dataset, *, download: bool) -> None:
    """See that the published weights which a student and its teachers start from are here.

    They are fetched where that is allowed; Missing where it is not.
    """
    for each in recipe.teacher_recipes():
        obtain(each, data, download=download)
    for _, module in _begun(recipe, data):
        if _start(module) == PUBLISHED:
            if download:
                published.download(module)
            published.file(module)


def weights_file(name: str, key: str = "teacher.weights") -> Path:
    """The file that a recipe names under a key; a UserError where it is not there."""
    path = expanded(name)
    if not os.path.isfile(path):  # Path.is_file raises where a folder may not be entered
        raise UserError(f"{key}: {path}: no such file")
    return path


def load_weights(model: nn.Module, path: Path) -> None:
    """Fill a network with weights from a file; a UserError names the tensors that do not fit."""
    weights = tensor_file.read_weights(path)
    if wrong := _unfit(weights, model.state_dict()):
        raise UserError(f"teacher.weights: {path}: does not fit teacher.model {_shown(wrong)}")
    model.load_state_dict(weights)


def _begun(recipe: Recipe, data: Dataset) -> list[tuple[str, nn.Module]]:
    """The parts of a recipe's network that start from weights, on the device "meta"."""
    if not _asks(recipe.network.model_dump()):
        return []  # a deep network takes half a second to build
    with torch.device("meta"):
        return _parts(build(recipe.network, data.shape, len(data.classes)))


def _asks(node: Any) -> bool:
    """Whether a network, as a file describes it, or one inside it starts from weights."""
    if isinstance(node, dict):
        return bool(node.get("weights")) or any(map(_asks, node.values()))
    return isinstance(node, list) and any(map(_asks, node))


def _parts(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The network itself, or those inside it, that start from weights, by dotted path."""
    return [(name, module) for name, module in network.named_modules() if _start(module)]


def _start(module: nn.Module) -> str:
    return vars(module).get("starts_from", "")


def _file(module: nn.Module) -> Path:
    if _start(module) == PUBLISHED:
        return published.file(module)
    return weights_file(_start(module), "model.weights")


def _fitting(module: nn.Module, path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The weights of a file that a network can start from, and the layers at its ends that they do not fit."""
    own, (stem, head) = module.state_dict(), _ends(module)
    weights = {OLD.sub(r"\1\2.", name): value for name, value in tensor_file.read_weights(path).items()}
    weights = {name: value for name, value in weights.items() if name in own or not name.startswith(MIDDLE)}
    # Files from before batch norm counted its batches lack the counters, which nothing here reads.
    wrong = _unfit(weights, {name: value for name, value in own.items() if name in weights or not _counts(name)})
    new = {_layer(name) for name in wrong if name.startswith(head)}
    new |= {stem} & {_layer(name) for name in wrong.keys() & own.keys() & weights.keys()}
    kept = {name: value for name, value in weights.items() if _layer(name) not in new}
    other = {name: text for name, text in wrong.items() if _layer(name) not in new}
    if other or not kept:
        raise UserError(f"model.weights: {path}: does not fit the model {_shown(other or wrong)}")
    return kept, sorted(new & {_layer(name) for name in own})


def _ends(module: nn.Module) -> tuple[str, str]:
    """The name of the first layer, and the beginning of the names of all tensors behind the features."""
    layers = (name for name, each in module.named_modules() if isinstance(each, nn.Conv2d | nn.Linear))
    first = next(layers, "")
    *_, last = (name for name, _ in module.named_parameters())
    top = last.partition(".")[0] + "."
    return first, _layer(last) + "." if first.startswith(top) else top


def _counts(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _unfit(weights: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, str]:
    """By name, what is wrong with tensors for a network that has others."""
    wrong = {name: f"{name} is missing" for name in own.keys() - weights.keys()}
    wrong |= {name: f"{name} is not in the model" for name in weights.keys() - own.keys()}
    return wrong | {
        name: f"{name} is {list(weights[name].shape)}, expected {list(own[name].shape)}"
        for name in own.keys() & weights.keys()
        if weights[name].shape != own[name].shape
    }


def _shown(wrong: dict[str, str]) -> str:
    return f"({len(wrong)} tensors: {'; '.join(sorted(wrong.values())[:4])})"
