"""Normalization, resizing and first convolutions of networks."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from spaces.parts import Normalization

Stem = Literal["imagenet", "small"]

# Means and standard deviations of red, green and blue, each in [0, 1]: torchvision's of ImageNet, those of published
# tables of CIFAR-100, and those of networks for images from -1 to 1.
IMAGENET = Normalization(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
CIFAR = Normalization(mean=[0.507, 0.487, 0.441], std=[0.267, 0.256, 0.276])
SYMMETRIC = Normalization(mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5])
NAMED_NORMALIZATIONS = {"imagenet": IMAGENET, "cifar": CIFAR, "none": None}


def add_normalization(network: nn.Module, choice: str | Normalization | None, shape: tuple[int, ...]) -> None:
    """Normalize the inputs of a network.

    `choice` is a key of NAMED_NORMALIZATIONS, the numbers, or None for those of the published weights, which a builder
    notes as the attribute `published_normalization`. Nothing is added to the state dict, so that published weights fit.
    Raises ValueError for another number of channels; images with other than three channels get the averages of a named
    or published normalization over the colors.
    """
    channels = shape[0]
    if isinstance(choice, Normalization):
        mean, std = choice.mean, choice.std
        if len(mean) not in (1, channels):
            counts = " or ".join(map(str, sorted({1, channels})))
            raise ValueError(f"normalize: found {len(mean)} means, expected {counts}, one for each channel")
    else:
        published = vars(network).get("published_normalization")
        numbers = published if choice is None else NAMED_NORMALIZATIONS[choice]
        if numbers is None:
            return
        mean, std = (_per_channel(values, channels) for values in (numbers.mean, numbers.std))
    for name, values in (("input_mean", mean), ("input_std", std)):
        network.register_buffer(name, torch.tensor(values).view(-1, *[1] * (len(shape) - 1)), persistent=False)
    network.register_forward_pre_hook(_normalize_inputs)


def _per_channel(colors: list[float], channels: int) -> list[float]:
    return colors if channels == len(colors) else [sum(colors) / len(colors)] * channels


def _normalize_inputs(network: nn.Module, inputs: tuple[Tensor]) -> Tensor:
    return (inputs[0] - network.get_buffer("input_mean")) / network.get_buffer("input_std")


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
