"""Initial weights of networks, from a file or published by torchvision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from spaces.errors import Problem, UserError
from spaces.recipe import Recipe
from trainables.data import Dataset, MissingFilesError
from trainables.models import build_without_memory
from trainables.weights import published
from trainables.weights.published import file_sha256
from trainables.weights.tensor_names import first_layer_and_head, layer_name, match_names, problem_list, tensor_problems
from trainables.weights.weights_file import find_weights_file, read_weights

PUBLISHED = "imagenet"  # value of `model.weights` for torchvision's weights


class InitialWeights(NamedTuple):
    """Initial weights of a network or of a part of it."""

    part: str  # dotted path; empty for the whole network
    file: str
    sha256: str
    renewed: list[str]  # layers that keep their random weights, because the file's have other shapes


def load_initial_weights(network: nn.Module) -> list[InitialWeights]:
    """Load the initial weights of a network and its parts.

    The first and the last layer may have other shapes, for other images and classes: they keep their random weights.
    Raises UserError with the file and the tensors if anything else does not fit.
    """
    return [_load_part(part, module) for part, module in _parts_with_weights(network)]


def initial_weight_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield a problem for each file not fitting the student.

    Published weights may be missing. The network is built without memory.
    """
    for part, module in _recipe_parts(recipe, data):
        try:
            _fitting_weights(module, _initial_file(module))
        except MissingFilesError:
            continue
        except UserError as error:
            message = str(error).removeprefix("model.weights: ")
            yield "student.model.weights", f"{part}: {message}" if part else message


def initial_weight_digests(recipe: Recipe, data: Dataset) -> list[str]:
    """Return the SHA-256 of each initial weights file of a network."""
    return [file_sha256(_initial_file(module)) for _, module in _recipe_parts(recipe, data)]


def published_weight_files(recipe: Recipe, data: Dataset) -> dict[str, Path]:
    """Return the published initial weights of a network.

    They are named by torchvision's names of its parts.
    """
    parts = [module for _, module in _recipe_parts(recipe, data) if _initial_source(module) == PUBLISHED]
    return {vars(module)["published"]: published.published_file(module) for module in parts}


def ensure_published_weights(recipe: Recipe, data: Dataset, *, download: bool) -> None:
    """Check the published weights of a student and its teachers.

    Missing ones are downloaded if allowed. Raises MissingWeightsError if they are not on this machine and `download` is
    false.
    """
    for teacher in recipe.teacher_recipes():
        ensure_published_weights(teacher, data, download=download)
    for _, module in _recipe_parts(recipe, data):
        if _initial_source(module) == PUBLISHED:
            if download:
                published.download_published(module)
            published.published_file(module)


def weights_files(recipe: Recipe, data: Dataset) -> dict[str, Path]:
    """Return the weights files of a student and its teachers, by name.

    The names are those of `copies.use_copies`.
    """
    files: dict[str, Path] = {}
    for teacher in recipe.teacher_recipes():
        files |= weights_files(teacher, data)
    for member in recipe.teacher.members() if recipe.teacher else []:
        if member.weights:
            files[member.weights] = find_weights_file(member.weights)
    for _, module in _recipe_parts(recipe, data):
        path = _initial_file(module)
        files[path.name if _initial_source(module) == PUBLISHED else _initial_source(module)] = path
    return files


def _recipe_parts(recipe: Recipe, data: Dataset) -> list[tuple[str, nn.Module]]:
    """Return the parts of a recipe's network with initial weights.

    The network is built on the device "meta", without memory.
    """
    if not _names_weights(recipe.network.model_dump()):
        return []  # a deep network takes half a second to build
    return _parts_with_weights(build_without_memory(recipe.network, data.shape, len(data.classes)))


def _names_weights(node: Any) -> bool:
    """Return True if a network's description names weights."""
    if isinstance(node, dict):
        return bool(node.get("weights")) or any(map(_names_weights, node.values()))
    return isinstance(node, list) and any(map(_names_weights, node))


def _parts_with_weights(network: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, module) for name, module in network.named_modules() if _initial_source(module)]


def _initial_source(module: nn.Module) -> str:
    """Return a path, PUBLISHED, or "" for random weights."""
    return vars(module).get("starts_from", "")


def _initial_file(module: nn.Module) -> Path:
    if _initial_source(module) == PUBLISHED:
        return published.published_file(module)
    return find_weights_file(_initial_source(module), "model.weights")


def _load_part(part: str, module: nn.Module) -> InitialWeights:
    path = _initial_file(module)
    weights, renewed = _fitting_weights(module, path)
    module.load_state_dict(weights, strict=False)
    return InitialWeights(part, path.name, file_sha256(path), renewed)


def _fitting_weights(module: nn.Module, path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Select the weights of a file for a network.

    Returns them, and the names of the first and last layers that keep their random weights.
    """
    own, (first, head) = module.state_dict(), first_layer_and_head(module)
    try:
        weights = match_names(read_weights(path), own)
    except UserError as error:
        raise UserError(f"model.weights: {path}: {str(error).removeprefix(f'{path}: ')}") from None
    # Files written before batch norm counted its batches lack the counters, which are not used here.
    expected = {
        name: value for name, value in own.items() if name in weights or not name.endswith("num_batches_tracked")
    }
    problems = tensor_problems(weights, expected)
    renewed = {layer_name(name) for name in problems if name.startswith(head)}
    renewed |= {first} & {layer_name(name) for name in problems.keys() & own.keys() & weights.keys()}
    fitting = {name: value for name, value in weights.items() if layer_name(name) not in renewed}
    errors = {name: text for name, text in problems.items() if layer_name(name) not in renewed}
    if errors or not fitting:
        raise UserError(f"model.weights: {path}: does not fit the model {problem_list(errors or problems)}")
    return fitting, sorted(renewed & {layer_name(name) for name in own})
