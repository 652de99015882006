"""How a network's activations lie in memory: channels last, which convolutions are faster with."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def channels_last(model: nn.Module) -> None:
    """Lay out a network's weights, and with them what its convolutions say, with channels last."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs


def back_too(model: nn.Module) -> None:
    """Have gradients come back through its flattening with channels last, where the maps went in so.

    A max pooling before it would otherwise copy its whole input twice: a sixth of a step of the assignment's CNN, whose
    bits this leaves alone. Not for packs, whose tensors torch.func hides from hooks.
    """
    for module in model.modules():
        if isinstance(module, nn.Flatten):
            module.register_forward_pre_hook(_watch)


def _watch(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    for maps in inputs:
        if maps.requires_grad and maps.dim() == 4 and maps.is_contiguous(memory_format=torch.channels_last):
            maps.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))
