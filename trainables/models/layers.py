"""Layers of torch's that are slow on a CPU, in a quicker way."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """Dropout (Srivastava et al. 2014) that on a CPU decides four values with each number it draws.

    The rate is rounded to a multiple of 1/65536, and the scale fits the rounded rate.
    """

    def forward(self, input: Tensor) -> Tensor:
        dropped = round(self.p * 2**16)
        if input.device.type != "cpu" or not self.training or dropped in (0, 2**16):
            return super().forward(input)
        keep = _bits(input.numel()).view(input.shape) >= dropped - 2**15
        return input * (keep * (2**16 / (2**16 - dropped))).to(input.dtype)


def _bits(n: int) -> Tensor:
    """Uniform whole numbers [n] from −32768 to 32767, of torch's global generator."""
    words = torch.empty(-(-n // 4), dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.int16)[:n]
