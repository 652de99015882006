"""The state of a training as one file."""

from __future__ import annotations

import logging
from pathlib import Path

from spaces.errors import UserError
from trainables.fit import State
from trainables.weights import tensor_file

LOG = logging.getLogger(__name__)


def save(path: Path, state: State) -> None:
    """Write a state atomically."""
    tensors = {f"student.{name}": value for name, value in state.weights.items()}
    tensors |= {f"optimiser.{name}": value for name, value in state.optimiser.items()}
    tensors |= {f"regressor.{name}": value for name, value in state.regressor.items()}
    tensor_file.write(path, tensors, {"epoch": str(state.epoch), "seconds": repr(state.seconds)})


def load(path: Path) -> State:
    """Read the state that `save` wrote; a damaged file is a UserError naming it."""
    tensors, note = tensor_file.read(path)
    try:
        epoch, seconds = int(note["epoch"]), float(note["seconds"])
    except (KeyError, ValueError):
        raise UserError(f"{path}: not a checkpoint of a training") from None
    parts = (_under(f"{part}.", tensors) for part in ("student", "optimiser", "regressor"))
    return State(epoch, seconds, *parts)


def resume(path: Path) -> State | None:
    """The state to go on from, or None where there is none; one that is damaged is said and counts as none."""
    try:
        return load(path) if path.exists() else None
    except UserError as error:
        LOG.warning("%s; it is trained again from its first epoch", error)
        return None


def _under(prefix: str, tensors: dict) -> dict:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
