"""What a network costs: parameters, and multiply-accumulates for one image."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


class Cost(NamedTuple):
    """Number of trainable parameters, and multiply-accumulates of one forward pass of one image."""

    parameters: int
    macs: int


def cost(model: nn.Module, shape: tuple[int, int, int]) -> Cost:
    """Count a network's cost on one image of this shape (channels, height, width)."""
    parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, *shape, device=device))
    model.train(training)
    return Cost(parameters, counter.get_total_flops() // 2)
