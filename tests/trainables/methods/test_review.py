"""Knowledge review: fusion and pyramid in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from trainables.methods.review import ReviewFusions, review
from trainables.observed_shapes import LayersError, ObservedShapes
from trainables.output import Output, Progress

STUDENT = {"early": torch.Size([3, 8, 8]), "late": torch.Size([2, 4, 4])}
TEACHER = {"early": torch.Size([5, 8, 8]), "late": torch.Size([4, 4, 4])}
LAYERS = {"guided": ["early", "late"], "hint": ["early", "late"]}


def batch_norm(maps: np.ndarray) -> np.ndarray:
    centered = maps - maps.mean((0, 2, 3), keepdims=True)
    return centered / np.sqrt((centered**2).mean((0, 2, 3), keepdims=True) + 1e-5)


def convolve(maps: np.ndarray, layer: nn.Conv2d) -> np.ndarray:
    weight, pad = layer.weight.detach().numpy(), layer.padding[0]  # type: ignore[index]
    padded = np.pad(maps, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(2, 3))
    bias = 0 if layer.bias is None else layer.bias.detach().numpy()[:, None, None]
    return np.einsum("bchwij,ocij->bohw", windows, weight) + bias


def hcl(difference: np.ndarray) -> np.ndarray:
    """Weights 1, ½, ¼, ⅛ of the maps and of their averages over 4², 2² and 1 positions, if those are smaller."""
    n, channels, side, _ = difference.shape
    total, weights, weight = (difference**2).mean((1, 2, 3)), 1.0, 1.0
    for level in (4, 2, 1):
        if level < side:
            size = side // level
            pooled = difference.reshape(n, channels, level, size, level, size).mean((3, 5))
            weight /= 2
            total, weights = total + weight * (pooled**2).mean((1, 2, 3)), weights + weight
    return total / weights


@pytest.mark.parametrize(("rise_epochs", "factor"), [(0, 1.0), (4, 0.75), (2, 1.0)])
def test_review_in_numpy(rise_epochs: int, factor: float, numpy_cross_entropy: Callable) -> None:
    torch.manual_seed(0)
    module = ReviewFusions(ObservedShapes(STUDENT, TEACHER, frozenset(), torch.zeros(9)), **LAYERS).double()
    student, teacher = (
        {layer: torch.randn(6, *shape, dtype=torch.float64) for layer, shape in shapes.items()}
        for shapes in (STUDENT, TEACHER)
    )
    logits, labels = torch.randn(6, 5, dtype=torch.float64), torch.arange(6) % 5
    losses = review(
        *(Output(logits, student), Output(logits, teacher), labels, Progress(3, 9), module),
        **(LAYERS | {"alpha": 0.4, "beta": 2.0, "rise_epochs": rise_epochs}),
    )
    early, late = module.fusions
    deep = batch_norm(convolve(student["late"].numpy(), late.reduce[0]))
    last = batch_norm(convolve(deep, late.expand[0]))
    own = batch_norm(convolve(student["early"].numpy(), early.reduce[0]))
    larger = deep.repeat(2, axis=2).repeat(2, axis=3)  # nearest neighbor
    attention = 1 / (1 + np.exp(-convolve(np.concatenate([own, larger], 1), early.attention[0])))
    first = batch_norm(convolve(own * attention[:, :1] + larger * attention[:, 1:], early.expand[0]))
    distance = hcl(first - teacher["early"].numpy()) + hcl(last - teacher["late"].numpy())
    expected = 0.4 * 2.0 * factor * distance + 0.6 * numpy_cross_entropy(logits.numpy(), labels.numpy())
    np.testing.assert_allclose(losses.detach(), expected)


def test_vectors_are_maps_of_one_position() -> None:
    shapes = ObservedShapes({"a": torch.Size([7])}, {"b": torch.Size([9])}, frozenset(), torch.zeros(1))
    (result,) = ReviewFusions(shapes, guided=["a"], hint=["b"])(torch.randn(4, 7))
    assert result.shape == (4, 9, 1, 1)


def test_as_many_layers_of_both_networks() -> None:
    shapes = ObservedShapes(STUDENT, TEACHER, frozenset(), torch.zeros(1))
    with pytest.raises(LayersError, match="found 1 layers, expected 2, one for each guided layer"):
        ReviewFusions(shapes, guided=["early", "late"], hint=["late"])
