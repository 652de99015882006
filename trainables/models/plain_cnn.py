"""Plain convolutional networks for small images."""

from __future__ import annotations

from typing import Literal

from torch import nn

from trainables.declare import declare
from trainables.knobs import Count
from trainables.models.weight_init import he_init

# By number of convolutions: channels of those between poolings, and units of the dense layer before the logits.
SIZES: dict[int, tuple[tuple[tuple[int, ...], ...], int | None]] = {
    2: (((16,), (16,)), None),
    4: (((16, 16), (32, 32)), None),
    6: (((16, 16), (32, 32), (64, 64)), None),
    8: (((16, 16), (32, 32), (64, 64), (128, 128)), 64),
    10: (((32, 32), (64, 64), (128, 128), (256, 256, 256, 256)), 128),
}


@declare(paper="Mirzadeh et al. (2020)")
def plain_cnn(
    shape: tuple[int, int, int],
    classes: int,
    *,
    size: Literal[2, 4, 6, 8, 10] = 2,
    width: Count = 1,
) -> nn.Module:
    """Two to ten 3x3 convolutions with batch norm, from the assistants paper.

    Hint layers: `pool1`, `pool2` and so on, two to four of them.

    Args:
        size: Number of convolutions.
        width: Factor of the channels: 1 for the paper's CIFAR-10, 2 for its CIFAR-100.
    """
    stages, dense = SIZES[size]
    widths = [[width * channels for channels in stage] for stage in stages]
    return _conv_stages(shape, classes, widths, dense)


def cnn3(shape: tuple[int, int, int], classes: int, *, width: Count = 32) -> nn.Module:
    """Three 3x3 convolutions with batch norm and pooling.

    A student project of about 2018 distilled from and into such a network; its sizes are unknown. Hint layers: `pool1`,
    `pool2`, `pool3`.

    Args:
        width: Channels of the first convolution; the others have twice and four times as many.
    """
    return _conv_stages(shape, classes, [[width], [2 * width], [4 * width]], None)


def _conv_stages(shape: tuple[int, int, int], classes: int, stages: list[list[int]], dense: int | None) -> nn.Module:
    """Build stages of convolutions with 2x2 pooling, and linear layers."""
    inputs, height, width = shape
    model, i = nn.Sequential(), 0
    for stage, widths in enumerate(stages, 1):
        for channels in widths:
            i += 1
            model.add_module(f"conv{i}", nn.Conv2d(inputs, channels, 3, padding=1))
            model.add_module(f"norm{i}", nn.BatchNorm2d(channels))
            model.add_module(f"relu{i}", nn.ReLU())
            inputs = channels
        model.add_module(f"pool{stage}", nn.MaxPool2d(2))
        height, width = height // 2, width // 2
    if min(height, width) < 1:
        raise ValueError(f"{len(stages)} poolings need at least {2 ** len(stages)} pixels both ways")
    model.add_module("flatten", nn.Flatten())
    inputs *= height * width
    if dense:
        model.add_module("dense", nn.Linear(inputs, dense))
        model.add_module("relu", nn.ReLU())
        inputs = dense
    model.add_module("logits", nn.Linear(inputs, classes))
    return he_init(model)
