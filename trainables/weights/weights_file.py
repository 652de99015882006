"""Weights files of other programs.

Only tensors and plain values are read: other objects may run code when they are loaded.
"""

from __future__ import annotations

import argparse
import pathlib
import pickletools
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spaces.disk import existing_file
from spaces.errors import UserError
from spaces.named_parts import WEIGHTS_IN_FOLDER
from trainables.file_kinds import file_kind, read_head
from trainables.weights.copies import copied_file
from trainables.weights.tensor_file import read_tensors

# Keys of checkpoints with a state dict inside, most wanted first: the averaged weights are those that were evaluated.
STATE_DICT_KEYS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model", "net", "network", "module")
LEGACY_HEADER_PICKLES = 3  # before the content of a PyTorch file from before version 1.6
# Plain values in checkpoints beside the state dict. None of them runs code.
NUMPY_SCALAR: Any = np.float64(0).__reduce__()[0]
PLAIN_CLASSES: list[Any] = [
    argparse.Namespace,
    pathlib.PosixPath,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("bool", "int32", "int64", "float32", "float64")),
    (NUMPY_SCALAR, "numpy.core.multiarray.scalar"),
    (NUMPY_SCALAR, "numpy._core.multiarray.scalar"),
]


def find_weights_file(name: str, key: str = "teacher.weights") -> Path:
    """Return the path of a weights file.

    `name` may be a Hugging Face folder. On a node of a cluster the path is that of a copy. Raises UserError with the
    key if the file is missing.
    """
    try:
        return copied_file(name) or existing_file(name, WEIGHTS_IN_FOLDER)
    except UserError as error:
        raise UserError(f"{key}: {error}") from None


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the state dict in a safetensors file or a PyTorch file.

    Also one inside a checkpoint, under any of STATE_DICT_KEYS. Raises UserError for a file of another kind, for objects
    that may run code when loaded, and for values that are not finite.
    """
    try:
        kind, head = file_kind(path), read_head(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    if kind:
        raise UserError(f"{path}: {kind}; expected a state dict in a PyTorch or safetensors file")
    if path.suffix == ".safetensors" or head[8:9] == b"{":
        weights = read_tensors(path)[0]
    else:
        weights = _state_dict(path, _load_pickle(path))
    for name, value in weights.items():
        if value.is_floating_point() and not value.float().isfinite().all():
            raise UserError(f"{path}: {name} contains NaN or infinite values")
    return weights


def _load_pickle(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(PLAIN_CLASSES):
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:  # torch's own message recommends loading the file in an unsafe way
        pickled = _pickled_class(path)
        advice = "where it was written, save its state dict: torch.save(model.state_dict(), FILE)"
        kind = (
            f"a whole pickled object of class {pickled}; {advice}" if pickled else "not a state dict of plain tensors"
        )
        raise UserError(f"{path}: {kind}: other objects may run code when loaded") from None
    except Exception as error:  # torch raises many types for a file that is not a state dict
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{path}: not a state dict of plain tensors ({reason})") from None


def _pickled_class(path: Path) -> str | None:
    """Return the class of the pickled object.

    None for a dict or list. The pickle is only parsed, never run.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
                with archive.open(name) as file:
                    return _first_class(file)
        with path.open("rb") as file:
            headers = [_first_class(file) for _ in range(LEGACY_HEADER_PICKLES)]
            return headers[0] or _first_class(file)
    except (ValueError, StopIteration, OSError):
        return None


def _first_class(file: Any) -> str | None:
    """Return the class of the next pickled object.

    Reads to its end.
    """
    kind, strings, container = None, list[str](), False
    for opcode, argument, _ in pickletools.genops(file):
        container |= opcode.name in ("EMPTY_DICT", "EMPTY_LIST", "DICT", "LIST")
        if opcode.name in ("SHORT_BINUNICODE", "BINUNICODE"):
            strings.append(str(argument))
        if kind is None and not container and opcode.name in ("GLOBAL", "STACK_GLOBAL"):
            kind = argument.replace(" ", ".") if argument else ".".join(strings[-2:])
    return None if kind == "collections.OrderedDict" else kind


def _state_dict(path: Path, content: Any) -> dict[str, Tensor]:
    """Return the state dict in the content of a checkpoint."""
    if not isinstance(content, Mapping):
        raise UserError(f"{path}: expected a state dict (names -> tensors), found {type(content).__name__}")
    if nested := next(_nested_dicts(content), None):
        return _state_dict(path, nested)
    if {"state", "param_groups"} <= content.keys():
        raise UserError(f"{path}: the state of an optimizer; expected that of a network")
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    objects = [f"{name} ({type(value).__name__})" for name, value in content.items() if name not in tensors]
    if objects and not (tensors and all(_is_plain(content[name]) for name in content.keys() - tensors.keys())):
        raise UserError(f"{path}: expected a state dict (names -> tensors), found also {', '.join(objects[:4])}")
    return tensors


def _nested_dicts(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield dicts with tensors in a checkpoint, most wanted first."""
    candidates = [*(content.get(key) for key in STATE_DICT_KEYS), *content.values()]
    yield from (part for part in candidates if isinstance(part, Mapping) and _holds_tensors(part))


def _holds_tensors(part: Mapping[str, Any]) -> bool:
    return any(isinstance(value, Tensor) for value in part.values()) or any(_nested_dicts(part))


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)
