"""The first layers of networks for photographs: how their images are normalized, and what small ones do without."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

Normalize = Literal["none", "imagenet", "cifar"]
Stem = Literal["imagenet", "small"]

# Means and standard deviations of red, green and blue, each in [0, 1]: torchvision's of ImageNet, those that the
# field's tables of CIFAR-100 are made with, and those of networks that take images from -1 to 1.
STATISTICS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar": ((0.507, 0.487, 0.441), (0.267, 0.256, 0.276)),
    "symmetric": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}


def normalized(first: nn.Module, statistics: str, channels: int) -> None:
    """Have a network's first layer subtract a mean and divide by a deviation, by name, before it computes.

    Nothing is added to the network's weights, so that published ones fit. Images of other than three channels get the
    average over the colors.
    """
    if statistics == "none":
        return
    for name, values in zip(("mean", "deviation"), STATISTICS[statistics], strict=True):
        each = torch.tensor(values if channels == 3 else [sum(values) / 3] * channels)
        first.register_buffer(name, each[:, None, None], persistent=False)
    first.register_forward_pre_hook(_normalize)


def _normalize(first: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    return (inputs[0] - first.get_buffer("mean")) / first.get_buffer("deviation")


def resized(network: nn.Module, side: int) -> None:
    """Have a network enlarge or reduce its images to so many pixels both ways before it computes.

    Data stay as small as they are, and whoever exports the network exports this with it.
    """
    network.resized_to = side  # type: ignore[assignment]  # any attribute may stand on a module
    network.register_forward_pre_hook(partial(_resize, side))


def _resize(side: int, _network: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    # Antialiased, as Pillow's: what is reduced is averaged.
    return interpolate(inputs[0], size=(side, side), mode="bilinear", antialias=True)


def opened(first: nn.Conv2d, channels: int, stem: Stem) -> None:
    """Give a first convolution another number of channels, and for small images a 3x3 kernel without a stride.

    It is changed in place; where the shape of its weights changes they are drawn anew.
    """
    kernel = first.kernel_size
    if stem == "small":
        kernel, first.stride, first.padding = (3, 3), (1, 1), (1, 1)
    if (channels, kernel) != (first.in_channels, first.kernel_size):
        first.in_channels, first.kernel_size = channels, kernel
        first.weight = nn.Parameter(torch.empty(first.out_channels, channels, *kernel))
        nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
