"""Weights that torchvision has published, where its own downloads keep them on this machine."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from spaces.errors import UserError
from trainables.data import Missing
from trainables.data.download import fetch

VERSION = "IMAGENET1K_V1"  # the one that each of its networks has


class Source(NamedTuple):
    """Where a network's weights are served, their size in bytes, and where they lie on this machine."""

    url: str
    bytes: int
    path: Path


class MissingWeights(Missing):
    """Published weights are not on this machine; the message says where they were looked for and how to get them."""


def source(module: nn.Module) -> Source:
    """Where torchvision's weights for a network are; a UserError where it is none of torchvision's."""
    name = vars(module).get("published")
    if name is None:
        raise UserError("model.weights: imagenet: none were published for this network; expected a file of weights")
    from trainables.models.torchvision_import import torchvision  # a second to import

    found = torchvision.models.get_model_weights(name)[VERSION]
    path = Path(torch.hub.get_dir(), "checkpoints", found.url.rpartition("/")[2])
    return Source(found.url, int(found.meta["_file_size"] * 2**20), path)


def file(module: nn.Module) -> Path:
    """The file of a network's weights; MissingWeights where it is not here, a UserError where it was altered."""
    found = source(module)
    if not os.path.isfile(found.path):  # Path.is_file raises where a folder may not be entered
        how = f"fetch it ({found.bytes / 2**20:.0f} MB) by --download, or from {found.url} yourself"
        raise MissingWeights(f"model.weights: imagenet: {found.path}: no such file; {how}")
    verify(found.path)
    return found.path


def download(module: nn.Module) -> None:
    """Fetch a network's weights unless they are here; a UserError where they cannot be had."""
    found = source(module)
    name = found.path.name
    if not os.path.isfile(found.path):
        fetch(name, found.path.parent, [found.url.removesuffix(name)], 2 * found.bytes, verify)


def verify(path: Path) -> None:
    """Refuse a file with other content than its name says, which ends in the first digits of its sha256."""
    expected, found = path.stem.rpartition("-")[2], digest(path)
    if not found.startswith(expected):
        raise UserError(f"{path}: altered: its sha256 begins with {found[: len(expected)]}, expected {expected}")


def digest(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal digits."""
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
