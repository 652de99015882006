"""Feature maps of two networks on one grid."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d


def match_grids(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Average maps [..., height, width] down to the smaller height and width."""
    if first.shape[-2:] == second.shape[-2:]:
        return first, second
    grid = (min(first.shape[-2], second.shape[-2]), min(first.shape[-1], second.shape[-1]))
    return adaptive_avg_pool2d(first, grid), adaptive_avg_pool2d(second, grid)
