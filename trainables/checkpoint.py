"""Checkpoints: the state of one training as a safetensors file.

Decision: "Checkpoints are our own safetensors files, not Ray's" (docs/decisions.md).
"""

from __future__ import annotations

import logging
from pathlib import Path

from torch import Tensor

from spaces import disk
from spaces.errors import UserError
from trainables.fit import TrainingState
from trainables.weights import tensor_file

LOG = logging.getLogger(__name__)
# Of tensor names in the file; the last is of a method's module, the first of which were regressors.
PREFIXES = ("student.", "optimiser.", "regressor.")


def save_checkpoint(path: Path, state: TrainingState) -> None:
    """Write a checkpoint atomically."""
    disk.write_atomically(path, serialize_checkpoint(state))


def serialize_checkpoint(state: TrainingState) -> bytes:
    """Return the content of a checkpoint's file."""
    parts = zip(PREFIXES, (state.weights, state.optimizer_state, state.method_module), strict=True)
    tensors = {f"{prefix}{name}": value for prefix, part in parts for name, value in part.items()}
    return tensor_file.serialize_tensors(tensors, {"epoch": str(state.epoch), "seconds": repr(state.total_seconds)})


def load_checkpoint(path: Path) -> TrainingState:
    """Read a checkpoint; raise UserError if the file is damaged."""
    return _training_state(path, *tensor_file.read_tensors(path))


def resume_checkpoint(content: bytes, path: Path) -> TrainingState | None:
    """Return the state in a checkpoint's content.

    Damaged content gives None, with a warning that names the path.
    """
    try:
        return _training_state(path, *tensor_file.parse_tensors(content, path))
    except UserError as error:
        LOG.warning("%s; the student is trained again from its first epoch", error)
        return None


def _training_state(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> TrainingState:
    try:
        epoch, seconds = int(metadata["epoch"]), float(metadata["seconds"])
    except (KeyError, ValueError):
        raise UserError(f"{path}: not a checkpoint of a training") from None
    parts = (_with_prefix(prefix, tensors) for prefix in PREFIXES)
    return TrainingState(epoch, seconds, *parts)


def _with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
