"""Files of cached teachers, one folder each; `trainables/teachers/__init__.py` lists them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from spaces import disk
from spaces.errors import UserError
from trainables.data.array_file import MappedArray, load_or_compute_array, map_array, matches_checksum, write_array
from trainables.data.locations import cache_folder
from trainables.distillation_data import TeacherOutputs
from trainables.teachers.home import WEIGHTS
from trainables.weights import tensor_file

LOGITS = {"train": "logits-train.npy", "val": "logits-val.npy", "test": "logits-test.npy"}
CHECKPOINT = "checkpoint.safetensors"
LOG = logging.getLogger(__name__)


class CachedTeacher(NamedTuple):
    """Weights, logits and record of a teacher."""

    weights: dict[str, Tensor]
    outputs: TeacherOutputs
    record: dict[str, Any]


def teacher_folder(key: str) -> Path:
    """Return the folder of the teacher with this key."""
    return cache_folder() / key


def write_teacher(folder: Path, teacher: CachedTeacher) -> None:
    """Write a trained teacher, and remove its checkpoint and older outputs."""
    (folder / WEIGHTS).unlink(missing_ok=True)
    for path in folder.glob("*.npy"):
        path.unlink()
    for split, name in LOGITS.items():
        logits: np.ndarray = getattr(teacher.outputs, split)
        write_array(folder / name, [logits], logits.shape, logits.dtype)
    tensor_file.write_tensors(folder / WEIGHTS, teacher.weights, {"record": json.dumps(teacher.record)})
    (folder / CHECKPOINT).unlink(missing_ok=True)


def is_complete(folder: Path) -> bool:
    """Return True if a trained teacher was written.

    Its files are not checked.
    """
    return (folder / WEIGHTS).exists()


def read_teacher(folder: Path) -> CachedTeacher | None:
    """Read a trained teacher, or return None.

    None means incomplete, or damaged, which is logged. Removes the temporary files of killed processes.
    """
    disk.remove_partial_files(folder)
    if not is_complete(folder):
        return None
    try:
        weights, metadata = tensor_file.read_tensors(folder / WEIGHTS)
        logits: dict[str, Any] = {split: _read_logits(folder / name) for split, name in LOGITS.items()}
        return CachedTeacher(weights, TeacherOutputs(**logits), json.loads(metadata["record"]))
    except (KeyError, ValueError, RecursionError, UserError) as error:
        reason = f"no {error} in {WEIGHTS}" if isinstance(error, KeyError) else str(error).replace(f"{folder}/", "")
        LOG.warning("%s: damaged (%s); this teacher is trained again", folder, reason)
        return None


def has_array(folder: Path, name: str) -> bool:
    """Return True if an array was written; it is not checked."""
    return _array_path(folder, name).exists()


def load_or_compute(folder: Path, name: str, compute: Callable[[], Tensor]) -> MappedArray:
    """Map an array of a teacher; compute it if absent or damaged."""
    return load_or_compute_array(_array_path(folder, name), lambda: compute().numpy())


def _array_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"


def _read_logits(path: Path) -> np.ndarray:
    if not matches_checksum(path):
        raise ValueError(f"{path.name} does not match its checksum")
    return np.array(map_array(path))  # a copy: other nodes of a cluster do not have the file
