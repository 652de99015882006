"""Tensors on disk: safetensors files that are whole or absent, never half-written, and never run code when read."""

from __future__ import annotations

import os
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from spaces.errors import UserError


def write(path: Path, tensors: dict[str, Tensor], note: dict[str, str] | None = None) -> None:
    """Write tensors and a note of strings atomically: a reader finds the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Copies, because safetensors refuses tensors that share memory, as tied weights do.
    copies = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    data = save(copies, note)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors and the note of a file that `write` made; a damaged file is a UserError naming it."""
    try:
        with safe_open(path, framework="pt") as file:
            names: list[str] = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a readable safetensors file ({error})") from None


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
