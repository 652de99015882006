"""Channels-last memory layout, for faster convolutions.

Decision: "Gradients of flattened maps use channels-last layout" (docs/decisions.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def to_channels_last(model: nn.Module) -> None:
    """Convert weights to channels last; convolutions then output channels last."""
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs


def keep_gradients_channels_last(model: nn.Module) -> None:
    """Keep the gradients of flattened channels-last maps in channels last.

    Otherwise a max pooling before the flattening copies its input twice, a sixth of a training step of the network
    `cnn`. Results stay equal bit for bit. Packs cannot use it: torch.func hides their tensors from hooks.
    """
    for module in model.modules():
        if isinstance(module, nn.Flatten):
            module.register_forward_pre_hook(_hook_gradients)


def _hook_gradients(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    for maps in inputs:
        if maps.requires_grad and maps.dim() == 4 and maps.is_contiguous(memory_format=torch.channels_last):
            maps.register_hook(lambda gradient: gradient.contiguous(memory_format=torch.channels_last))
