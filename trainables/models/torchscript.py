"""Networks saved as TorchScript, as teachers."""

from __future__ import annotations

import warnings
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from spaces.disk import existing_file
from spaces.errors import UserError
from trainables.models.network_outputs import return_logits


def torchscript(shape: tuple[int, ...], classes: int, *, file: Annotated[str, Field(min_length=1)]) -> nn.Module:
    """A network saved by torch.jit, for an untrained teacher.

    Write `train: {epochs: 0}` beside it. The file holds its weights; it is run as it is, with the images that
    `normalize` and `resize` make.

    Args:
        file: File written by torch.jit.save.
    """
    path = existing_file(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch recommends torch.export for new files
            network = torch.jit.load(str(path), map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise UserError(f"file: {path}: not a TorchScript model: {str(error).strip().splitlines()[0]}") from None
    wrapped = ScriptedNetwork(network)
    return_logits(wrapped, "torchscript")
    return wrapped


class ScriptedNetwork(nn.Module):
    """A TorchScript network as a module for hooks."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Any:
        """Return the output of the network, with logits [batch, classes]."""
        return self.network(images)
