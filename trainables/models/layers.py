"""Layers of torch's that are slow on a CPU, in a quicker way."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

DRAWN = ("cpu", "cuda")  # kinds of devices on which a seed alone says what is dropped


class Dropout(nn.Dropout):
    """Dropout (Srivastava et al. 2014) that decides four values with each number it draws.

    The rate is rounded to a multiple of 1/65536, and the scale fits the rounded rate. Where many networks run as one,
    somebody else draws for each of them: then `kept` says which values stay.
    """

    kept: Tensor | None = None

    @property
    def dropped(self) -> int:
        """The rate in units of 1/65536."""
        return round(self.p * 2**16)

    @property
    def random(self) -> bool:
        """Whether anything has to be drawn at this rate."""
        return self.dropped not in (0, 2**16)

    def forward(self, input: Tensor) -> Tensor:
        if input.device.type not in DRAWN or not self.training or not self.random:
            return super().forward(input)
        kept = self.draw(input.shape, input.device) if self.kept is None else self.kept
        return input * (kept * (2**16 / (2**16 - self.dropped))).to(input.dtype)

    def draw(self, shape: torch.Size, where: torch.device, generator: Generator | None = None) -> Tensor:
        """Which values to keep, as truth values of this shape, by a generator or torch's global one."""
        return _bits(shape.numel(), where, generator).view(shape) >= self.dropped - 2**15


def _bits(n: int, where: torch.device, generator: Generator | None) -> Tensor:
    """Uniform whole numbers [n] from −32768 to 32767."""
    words = torch.empty(-(-n // 4), dtype=torch.int64, device=where).random_(-(2**63), None, generator=generator)
    return words.view(torch.int16)[:n]
