"""Taught teachers on disk, one folder each, whole or absent."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spaces import disk
from spaces.errors import UserError
from trainables.data import root
from trainables.distillation_data import TeacherOutputs
from trainables.weights import tensor_file

SPLITS = ("train", "val", "test")
TENSORS = ("weights.safetensors", "answers.safetensors")
SAID = "said"  # the one tensor of a file of what else a teacher says
LOG = logging.getLogger(__name__)


def folder() -> Path:
    """Where teachers are kept: $KD_CACHE, else the user's cache folder."""
    return root.kept()


def write(teacher: Path, weights: dict[str, Tensor], answers: TeacherOutputs, record: dict[str, Any]) -> None:
    """Keep a teacher; its record is written last and makes it whole."""
    tensor_file.write(teacher / "weights.safetensors", weights)
    logits = {name: torch.from_numpy(array) for name, array in zip(SPLITS, answers[:3], strict=True)}
    tensor_file.write(teacher / "answers.safetensors", logits)
    sums = {name: _sum((teacher / name).read_bytes()) for name in TENSORS} | {"record": _sum(_text(record))}
    disk.replace(teacher / "record.json", json.dumps({"record": record, "sha256": sums}, indent=2).encode())
    (teacher / "checkpoint.safetensors").unlink(missing_ok=True)


def holds(teacher: Path) -> bool:
    """Whether a teacher was kept there, whole or altered since."""
    return (teacher / "record.json").exists()


def read(teacher: Path) -> tuple[TeacherOutputs, dict[str, Any]] | None:
    """A kept teacher's answers and record; None where it is absent, unfinished or altered since it was written.

    Sweeps away what a killed process left half-written beside it, and warns of what was altered.
    """
    disk.sweep(teacher)
    try:
        content = (teacher / "record.json").read_bytes()
    except OSError:
        return None
    try:
        return _whole(teacher, content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, UserError) as reason:
        LOG.warning("%s: damaged (%s); this teacher is taught again", teacher, _in_short(reason))
        return None


def _whole(teacher: Path, content: bytes) -> tuple[TeacherOutputs, dict[str, Any]]:
    """What was kept, where every file is as it was when its record was written; a ValueError names one that is not."""
    kept = json.loads(content)
    record, sums = kept["record"], kept["sha256"]
    own = _sum(_text(record))
    if sums.get("record", own) != own:  # the first records were kept without a sum of their own
        raise ValueError("record.json does not fit its checksum")
    for name in TENSORS:
        if _sum((teacher / name).read_bytes()) != sums[name]:
            raise ValueError(f"{name} does not fit its checksum")
    tensors, _ = tensor_file.read(teacher / "answers.safetensors")
    logits: dict[str, Any] = {name: value.numpy() for name, value in tensors.items()}
    return TeacherOutputs(**logits), record


def _in_short(reason: Exception) -> str:
    return str(reason).splitlines()[0] if isinstance(reason, ValueError | OSError) and str(reason) else "not whole"


def weights(teacher: Path) -> dict[str, Tensor]:
    """A kept teacher's weights."""
    return tensor_file.read(teacher / "weights.safetensors")[0]


def has(teacher: Path, name: str) -> bool:
    """Whether one more thing that a teacher says was kept, whole or altered since."""
    return _file(teacher, name).exists()


def kept(teacher: Path, name: str, make: Callable[[], Tensor]) -> np.ndarray:
    """One more thing that a teacher says, mapped from beside the others; made where it is absent or altered."""
    path = _file(teacher, name)
    if not _sound(path):
        tensor_file.write(path, {SAID: make().contiguous()})
    return tensor_file.mapped(path, SAID)


def _file(teacher: Path, name: str) -> Path:
    return teacher / f"{name}.safetensors"


def _sound(path: Path) -> bool:
    """Whether a file is there and whole; one that is not whole is said."""
    if not path.exists():
        return False
    try:
        if SAID in tensor_file.read(path)[0]:
            return True
    except UserError:
        pass
    LOG.warning("%s: damaged; it is made again", path)
    return False


def _text(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True).encode()


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
