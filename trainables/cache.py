"""Taught teachers on disk, one folder each, whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spaces.errors import UserError
from trainables import storage
from trainables.data.root import user_folder
from trainables.lesson import Answers

SPLITS = ("train", "val", "test")
TENSORS = ("weights.safetensors", "answers.safetensors")


def folder() -> Path:
    """Where teachers are kept: $KD_CACHE, else the user's cache folder."""
    return user_folder("KD_CACHE", "teachers")


def write(teacher: Path, weights: dict[str, Tensor], answers: Answers, record: dict[str, Any]) -> None:
    """Keep a teacher; its record is written last and makes it whole."""
    storage.write(teacher / "weights.safetensors", weights)
    logits = {name: torch.from_numpy(array) for name, array in zip(SPLITS, answers[:3], strict=True)}
    storage.write(teacher / "answers.safetensors", logits)
    sums = {name: _sum((teacher / name).read_bytes()) for name in TENSORS} | {"record": _sum(_text(record))}
    temporary = teacher / f".record.{os.getpid()}"
    temporary.write_text(json.dumps({"record": record, "sha256": sums}, indent=2))
    temporary.replace(teacher / "record.json")
    (teacher / "checkpoint.safetensors").unlink(missing_ok=True)


def read(teacher: Path) -> tuple[Answers, dict[str, Any]] | None:
    """A kept teacher's answers and record; None where it is absent, unfinished or altered since it was written."""
    try:
        content = json.loads((teacher / "record.json").read_text())
        record, sums = content["record"], content["sha256"]
        own = _sum(_text(record))
        # The first records were kept without a sum of their own.
        if sums.get("record", own) != own or any(_sum((teacher / name).read_bytes()) != sums[name] for name in TENSORS):
            return None
        tensors, _ = storage.read(teacher / "answers.safetensors")
        logits: dict[str, Any] = {name: value.numpy() for name, value in tensors.items()}
        return Answers(**logits), record
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError):
        return None


def weights(teacher: Path) -> dict[str, Tensor]:
    """A kept teacher's weights."""
    return storage.read(teacher / "weights.safetensors")[0]


def kept(teacher: Path, name: str, make: Callable[[], Tensor]) -> np.ndarray:
    """One more thing that a teacher says, kept beside the others; made where it is absent or altered."""
    path = teacher / f"{name}.safetensors"
    try:
        tensors, note = storage.read(path)
        found = tensors["said"].numpy()
        if note.get("sha256") == _sum(found.tobytes()):
            return found
    except (KeyError, UserError):
        pass
    made = make().contiguous()
    storage.write(path, {"said": made}, {"sha256": _sum(made.numpy().tobytes())})
    return made.numpy()


def _text(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True).encode()


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
