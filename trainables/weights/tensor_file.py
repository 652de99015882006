"""Tensor files: weights and checkpoints with a checksum.

They are safetensors files. A file is written atomically, and reading it never runs code. Large arrays that are mapped
rather than read, such as a teacher's outputs, are in .npy files: see `trainables.data.array_file`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from spaces import disk
from spaces.errors import UserError

CHECKSUM_KEY = "whole_file_sha256"  # metadata entry: SHA-256 of the file with NO_CHECKSUM in place of this value
NO_CHECKSUM = "0" * 64


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write tensors and metadata atomically, with a checksum."""
    disk.write_atomically(path, serialize_tensors(tensors, metadata))


def serialize_tensors(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Return the content of a tensor file, with its checksum."""
    # Copies, because safetensors refuses tensors that share memory, as tied weights do.
    copies = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    content = _with_sorted_metadata(save(copies, {**(metadata or {}), CHECKSUM_KEY: NO_CHECKSUM}))
    checksum = hashlib.sha256(content).hexdigest()
    return content.replace(_checksum_entry(NO_CHECKSUM), _checksum_entry(checksum), 1)


def _with_sorted_metadata(content: bytes) -> bytes:
    """Return a safetensors file with its metadata in order.

    safetensors writes them in any order, so that equal weights would give different files.
    """
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    aligned = text.ljust(-(-len(text) // 8) * 8)
    return len(aligned).to_bytes(8, "little") + aligned + content[8 + length :]


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file.

    Raises UserError for a damaged file. A file without a checksum, written by another program, is not checked.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: not a readable safetensors file ({error})") from None
    return parse_tensors(content, path)


def parse_tensors(content: bytes, path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata in a file's content.

    Raises UserError with the path for damaged content.
    """
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise UserError(f"{path}: not a readable safetensors file ({error})") from None
    metadata = _metadata(content)
    checksum = metadata.pop(CHECKSUM_KEY, None)
    if checksum is not None:
        original = content.replace(_checksum_entry(checksum), _checksum_entry(NO_CHECKSUM), 1)
        if checksum != hashlib.sha256(original).hexdigest():
            raise UserError(f"{path}: damaged: its content does not match its checksum")
    return tensors, metadata


def _metadata(content: bytes) -> dict[str, str]:
    """Return the metadata in the header of a valid safetensors file."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]).get("__metadata__") or {}


def _checksum_entry(checksum: str) -> bytes:
    """Return the entry as it appears in the header.

    Quotes inside other strings are escaped there, so only the entry itself matches.
    """
    return f'"{CHECKSUM_KEY}":"{checksum}"'.encode()
