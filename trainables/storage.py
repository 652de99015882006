"""Tensors on disk: safetensors files that are whole or absent, sealed by a checksum, and never run code when read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from spaces import disk
from spaces.errors import UserError

SEAL = "whole_file_sha256"  # the note that holds the checksum of the file, taken with zeros in the checksum's place
OPEN = "0" * 64


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
