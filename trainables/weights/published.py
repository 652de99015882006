"""Weights published by torchvision, in the folder of its own downloads."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from spaces.errors import UserError
from trainables.data.download import fetch_file
from trainables.data.locations import MissingWeightsError
from trainables.weights.copies import copied_file

VERSION = "IMAGENET1K_V1"  # published for every network


class PublishedFile(NamedTuple):
    """A published file of weights, and its path on this machine."""

    url: str
    bytes: int
    path: Path


def published_source(module: nn.Module) -> PublishedFile:
    """Return the source of a torchvision network's published weights.

    Raises UserError for other networks.
    """
    name = vars(module).get("published")
    if name is None:
        raise UserError("model.weights: imagenet: none were published for this network; expected a file of weights")
    from trainables.models.torchvision_import import torchvision  # a second to import

    weights = torchvision.models.get_model_weights(name)[VERSION]
    file_name = weights.url.rpartition("/")[2]
    path = copied_file(file_name) or Path(torch.hub.get_dir(), "checkpoints", file_name)
    return PublishedFile(weights.url, int(weights.meta["_file_size"] * 2**20), path)


def published_file(module: nn.Module) -> Path:
    """Return the verified file of a network's published weights.

    Raises MissingWeightsError if it is not on this machine, UserError if it was altered.
    """
    source = published_source(module)
    if not os.path.isfile(source.path):  # Path.is_file raises for a file in an unreadable folder
        how = f"fetch it ({source.bytes / 2**20:.0f} MB) by --download, or from {source.url} yourself"
        raise MissingWeightsError(f"model.weights: imagenet: {source.path}: no such file; {how}")
    verify_published(source.path)
    return source.path


def download_published(module: nn.Module) -> None:
    """Download a network's published weights unless they are on this machine."""
    source = published_source(module)
    name = source.path.name
    if not os.path.isfile(source.path):
        fetch_file(name, source.path.parent, [source.url.removesuffix(name)], 2 * source.bytes, verify_published)


def verify_published(path: Path) -> None:
    """Check a file against its name.

    The name ends in the first digits of the file's SHA-256.
    """
    expected, sha256 = path.stem.rpartition("-")[2], file_sha256(path)
    if not sha256.startswith(expected):
        raise UserError(f"{path}: altered: its sha256 begins with {sha256[: len(expected)]}, expected {expected}")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hex digits."""
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
