"""Activations of any shape as maps [batch, channels, height, width]."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d


class PointwiseConvolution(nn.Linear):
    """Convolution of maps with a kernel of 1 × 1, as a matrix product.

    In a pack, a processor takes 16 times as long for the grouped convolution (128 maps of one position, 400 channels).
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps [batch, out_features, height, width]."""
        positions = maps.movedim(1, -1)
        # In a pack, inputs of more than two dimensions would copy the weights for every image.
        products = super().forward(positions.flatten(0, -2))
        return products.unflatten(0, positions.shape[:-1]).movedim(-1, 1)


def as_maps(activations: Tensor) -> Tensor:
    """Return maps unchanged, anything else as units of one position."""
    return activations if activations.ndim == 4 else activations.flatten(1)[:, :, None, None]


def map_shape(shape: torch.Size) -> torch.Size:
    """Return the shape [channels, height, width] of one example's maps."""
    return shape if len(shape) == 3 else torch.Size([shape.numel(), 1, 1])


def match_maps(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Average maps [..., height, width] down to the smaller height and width."""
    if first.shape[-2:] == second.shape[-2:]:
        return first, second
    grid = (min(first.shape[-2], second.shape[-2]), min(first.shape[-1], second.shape[-1]))
    return adaptive_avg_pool2d(first, grid), adaptive_avg_pool2d(second, grid)
