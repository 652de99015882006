"""Changes to whole batches of images."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad


def jitter(images: Tensor, pixels: int, generator: Generator) -> Tensor:
    """Shift each image [batch, channels, height, width] by up to so many pixels both ways, filling with zeros."""
    n, _, height, width = images.shape
    down, right = torch.randint(0, 2 * pixels + 1, (2, n, 1), generator=generator).to(images.device)
    rows = (down + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (right + torch.arange(width, device=images.device))[:, None, None, :]
    padded = pad(images, (pixels,) * 4)
    each = torch.arange(n, device=images.device)[:, None, None, None]
    channels = torch.arange(images.shape[1], device=images.device)[None, :, None, None]
    return padded[each, channels, rows, columns]
