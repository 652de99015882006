"""Normalization, resizing and first convolutions of networks."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

Normalize = Literal["none", "imagenet", "cifar"]
Stem = Literal["imagenet", "small"]

# Means and standard deviations of red, green and blue, each in [0, 1]: torchvision's of ImageNet, those of published
# tables of CIFAR-100, and those of networks for images from -1 to 1.
STATISTICS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar": ((0.507, 0.487, 0.441), (0.267, 0.256, 0.276)),
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


def add_normalization(first: nn.Module, statistics: str, channels: int) -> None:
    """Normalize images before a network's first layer.

    `statistics` is a key of STATISTICS, or "none". Nothing is added to the state dict, so that published weights fit.
    Images with other than three channels get the averages over the colors.
    """
    if statistics == "none":
        return
    for name, values in zip(("mean", "deviation"), STATISTICS[statistics], strict=True):
        per_channel = torch.tensor(values if channels == 3 else [sum(values) / 3] * channels)
        first.register_buffer(name, per_channel[:, None, None], persistent=False)
    first.register_forward_pre_hook(_normalize_inputs)


def _normalize_inputs(first: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    return (inputs[0] - first.get_buffer("mean")) / first.get_buffer("deviation")


def add_resizing(network: nn.Module, side: int) -> None:
    """Resize images to `side` by `side` pixels before a network.

    The data set keeps its size, and an exported network contains the resizing.
    """
    network.resized_to = side  # type: ignore[assignment]  # a module takes any attribute
    network.register_forward_pre_hook(partial(_resize_inputs, side))


def _resize_inputs(side: int, _network: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    # antialiased like Pillow: pixels are averaged when an image shrinks
    return interpolate(inputs[0], size=(side, side), mode="bilinear", antialias=True)


def adapt_first_conv(first: nn.Conv2d, channels: int, stem: Stem) -> None:
    """Adapt a first convolution in place to channels and stem.

    `stem: small` gives it a 3x3 kernel without a stride. Weights of a changed shape are drawn again.
    """
    kernel = first.kernel_size
    if stem == "small":
        kernel, first.stride, first.padding = (3, 3), (1, 1), (1, 1)
    if (channels, kernel) != (first.in_channels, first.kernel_size):
        first.in_channels, first.kernel_size = channels, kernel
        first.weight = nn.Parameter(torch.empty(first.out_channels, channels, *kernel))
        nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
