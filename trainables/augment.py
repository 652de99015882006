"""Changes to whole batches of images."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad


def views(pixels: int) -> int:
    """How many ways there are to shift an image by up to so many pixels both ways; view `views // 2` leaves it."""
    return (2 * pixels + 1) ** 2


def draw(n: int, pixels: int, generator: Generator) -> Tensor:
    """A random view for each of n images, [n]."""
    return torch.randint(0, views(pixels), (n,), generator=generator)


def shift(images: Tensor, pixels: int, view: Tensor) -> Tensor:
    """Show each image [batch, channels, height, width] in its view [batch], shifted by up to so many pixels.

    A view is the same for a teacher and for every student, so that answers to it can be kept; zeros move in.
    """
    n, _, height, width = images.shape
    where, side = images.device, 2 * pixels + 1
    down, right = (view // side)[:, None].to(where), (view % side)[:, None].to(where)
    rows = (down + torch.arange(height, device=where))[:, None, :, None]
    columns = (right + torch.arange(width, device=where))[:, None, None, :]
    padded = pad(images, (pixels,) * 4)
    each = torch.arange(n, device=where)[:, None, None, None]
    channels = torch.arange(images.shape[1], device=where)[None, :, None, None]
    return padded[each, channels, rows, columns]
