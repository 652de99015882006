"""Kinds of files, by their first bytes."""

from __future__ import annotations

import zipfile
from pathlib import Path

HEAD_BYTES = 64
# Kinds by their first bytes.
SIGNATURES = {
    b"version https://git-lfs": "a git-lfs pointer, not the file itself; run: git lfs pull",
    b"\x89HDF": "an HDF5 file, as Keras writes",
    b"\x93NUMPY": "a NumPy array",
    b"\x1f\x8b": "a gzip archive; unpack it",
    b"GGUF": "a GGUF file",
}
MARKUP = (b"<!doctype", b"<html", b"<?xml")


def file_kind(path: Path) -> str | None:
    """Return the kind of a file, with advice, or None if unknown.

    Weights and pickles of PyTorch are known by their content only, so they are among the unknown. Raises OSError.
    """
    head = read_head(path)
    if not head:
        return "an empty file"
    if head.lstrip().lower().startswith(MARKUP):
        return "an HTML page, not the file itself; download it again"
    if head[0] == 8 and head[1] < 32 and head[2:3] in (b"\x12", b"\x1a", b"\x3a"):  # version, then producer or graph
        return "an ONNX model; use the weights that it was exported from, or teacher: {onnx: FILE}"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    return next((kind for signature, kind in SIGNATURES.items() if head.startswith(signature)), None)


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _zip_kind(path: Path) -> str | None:
    if not zipfile.is_zipfile(path):
        return "a truncated zip archive; copy or download it again"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any("/code/" in name for name in names):
        return "a TorchScript model; write teacher: {model: {name: torchscript, file: FILE}, train: {epochs: 0}}"
    if "model.weights.h5" in names:
        return "a Keras model"
    return None if any(name.endswith("data.pkl") for name in names) else "a zip archive without tensors"
