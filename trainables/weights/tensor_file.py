"""Tensors on disk: safetensors files that are whole or absent, sealed by a checksum, and never run code when read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from spaces import disk
from spaces.errors import UserError

SEAL = "whole_file_sha256"  # the note that holds the checksum of the file, taken with zeros in the checksum's place
OPEN = "0" * 64
KINDS = {"F32": "<f4", "F16": "<f2"}  # what is mapped: answers of teachers


def write(path: Path, tensors: dict[str, Tensor], note: dict[str, str] | None = None) -> None:
    """Write tensors and a note of strings atomically: a reader finds the old file or the new one."""
    # Copies, because safetensors refuses tensors that share memory, as tied weights do.
    copies = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    data = save(copies, {**(note or {}), SEAL: OPEN})
    disk.replace(path, data.replace(_seal(OPEN), _seal(_sum(data)), 1))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and the note of a file that `write` made; a damaged file is a UserError naming it.

    A file without a seal, as earlier versions and other programs write them, is taken as it is.
    """
    try:
        data = path.read_bytes()
        tensors = load(data)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({error})") from None
    note = _note(data)
    seal = note.pop(SEAL, None)
    if seal is not None and seal != _sum(data.replace(_seal(seal), _seal(OPEN), 1)):
        raise UserError(f"{path}: damaged, its contents do not fit its checksum")
    return tensors, note


class Mapped(np.ndarray):
    """A tensor of a file, mapped into memory; pickled, it is the name of its file, and mapped again where that is."""

    file: tuple[Path, str] | None = None  # and the tensor's name; None for parts of it, which are pickled as they are

    def __reduce_ex__(self, protocol: Any) -> Any:
        return (mapped, self.file) if self.file else super().__reduce_ex__(protocol)


def mapped(path: Path, name: str) -> Mapped:
    """Map one tensor of a file that `write` made and `read` has found sound; read-only, in no process's own memory."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        found = json.loads(file.read(length))[name]
    start, shape = 8 + length + found["data_offsets"][0], tuple(found["shape"])
    whole = np.memmap(path, KINDS[found["dtype"]], "r", start, shape).view(Mapped)
    whole.file = (path.absolute(), name)
    return whole


def _note(data: bytes) -> dict[str, str]:
    """The strings in the header of a file that safetensors has found sound."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]).get("__metadata__") or {}


def _seal(digest: str) -> bytes:
    """A seal as it stands in the header, where a quote inside a string would be escaped."""
    return f'"{SEAL}":"{digest}"'.encode()


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def read_weights(path: Path) -> dict[str, Tensor]:
    """Somebody's weights: safetensors, or a state dict that torch can load without running code."""
    if path.suffix == ".safetensors":
        return read(path)[0]
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError:  # torch's own words would have the user load it in an unsafe way
        raise UserError(f"{path}: not a state dict of plain tensors: other objects may run code when loaded") from None
    except Exception as error:  # torch raises many kinds for a file that is no plain state dict
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{path}: not a state dict of plain tensors ({reason})") from None
    if not isinstance(state, dict):
        raise UserError(f"{path}: expected a state dict (names -> tensors), found {type(state).__name__}")
    if others := [f"{name} ({type(value).__name__})" for name, value in state.items() if not isinstance(value, Tensor)]:
        raise UserError(f"{path}: expected a state dict (names -> tensors), found also {', '.join(others[:4])}")
    return state
