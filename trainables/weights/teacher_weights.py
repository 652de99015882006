"""Weights of a trained teacher in a file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from torch import Tensor, nn

from spaces.errors import UserError
from spaces.parts import Model
from trainables.data import Dataset
from trainables.models import build_without_memory
from trainables.weights.tensor_names import (
    first_layer_and_head,
    match_names,
    problem_list,
    tensor_problems,
)
from trainables.weights.weights_file import find_weights_file, read_weights


def load_teacher_weights(model: nn.Module, path: Path) -> None:
    """Load all weights of a teacher from a file.

    Raises UserError with the tensors that do not fit.
    """
    model.load_state_dict(_complete_weights(model, path))


def teacher_weights_problem(weights: str, model: Model, data: Dataset) -> str | None:
    """Return the misfit of a file and a teacher, or None."""
    try:
        path = find_weights_file(weights)
        stat = path.stat()
        content = (path, stat.st_mtime_ns, stat.st_size)
        return _cached_problem(content, model.model_dump_json(), data.shape, len(data.classes))
    except UserError as error:
        return str(error).removeprefix("teacher.weights: ")


@lru_cache  # the students of a search have few teachers
def _cached_problem(
    content: tuple[Path, int, int], model_json: str, shape: tuple[int, ...], classes: int
) -> str | None:
    network = build_without_memory(Model.model_validate_json(model_json), shape, classes)
    try:
        _complete_weights(network, content[0])
    except UserError as error:
        return str(error).removeprefix("teacher.weights: ")
    return None


def _complete_weights(model: nn.Module, path: Path) -> dict[str, Tensor]:
    own = model.state_dict()
    try:
        weights = match_names(read_weights(path), own)
    except UserError as error:
        raise UserError(f"teacher.weights: {path}: {str(error).removeprefix(f'{path}: ')}") from None
    # Files written before batch norm counted its batches lack the counters, which are not used here.
    counters = {name: own[name] for name in own.keys() - weights.keys() if name.endswith("num_batches_tracked")}
    problems = tensor_problems({**weights, **counters}, own)
    if not problems:
        return {**weights, **counters}
    _, head = first_layer_and_head(model)
    outputs = [name for name in problems if name.startswith(head) and name in weights and name in own]
    if len(outputs) == len(problems):
        sizes = f"{len(weights[outputs[0]])} outputs, expected {len(own[outputs[0]])}"
        advice = "to keep its other layers and train a new head, write teacher: {model: {weights: FILE}}"
        raise UserError(f"teacher.weights: {path}: its head has {sizes}; {advice}")
    raise UserError(f"teacher.weights: {path}: does not fit teacher.model {problem_list(problems)}")
