"""Checkpoints: the state of one training as a safetensors file.

Decision: "Checkpoints are our own safetensors files, not Ray's" (docs/decisions.md).
"""

from __future__ import annotations

import logging
from pathlib import Path

from spaces.errors import UserError
from trainables.fit import TrainingState
from trainables.weights import tensor_file

LOG = logging.getLogger(__name__)
PREFIXES = ("student.", "optimiser.", "regressor.")  # of tensor names in the file


def save_checkpoint(path: Path, state: TrainingState) -> None:
    """Write a checkpoint atomically."""
    parts = zip(PREFIXES, (state.weights, state.optimizer_state, state.regressor), strict=True)
    tensors = {f"{prefix}{name}": value for prefix, part in parts for name, value in part.items()}
    tensor_file.write_tensors(path, tensors, {"epoch": str(state.epoch), "seconds": repr(state.total_seconds)})


def load_checkpoint(path: Path) -> TrainingState:
    """Read a checkpoint; raise UserError if the file is damaged."""
    tensors, note = tensor_file.read_tensors(path)
    try:
        epoch, seconds = int(note["epoch"]), float(note["seconds"])
    except (KeyError, ValueError):
        raise UserError(f"{path}: not a checkpoint of a training") from None
    parts = (_with_prefix(prefix, tensors) for prefix in PREFIXES)
    return TrainingState(epoch, seconds, *parts)


def resume_checkpoint(path: Path) -> TrainingState | None:
    """Read a checkpoint; return None, with a warning, for a damaged file.

    A missing file also gives None.
    """
    try:
        return load_checkpoint(path) if path.exists() else None
    except UserError as error:
        LOG.warning("%s; the student is trained again from its first epoch", error)
        return None


def _with_prefix(prefix: str, tensors: dict) -> dict:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
