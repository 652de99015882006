"""Plain convolutional networks for small images: the assistants paper's, and a student project's of three layers."""

from __future__ import annotations

from typing import Literal

from torch import nn

from trainables.knobs import Count
from trainables.models.init import he
from trainables.models.stem import Normalize, normalized

# Channels of the convolutions between poolings, and of the dense layer before the logits.
SIZES: dict[int, tuple[tuple[tuple[int, ...], ...], int | None]] = {
    2: (((16,), (16,)), None),
    4: (((16, 16), (32, 32)), None),
    6: (((16, 16), (32, 32), (64, 64)), None),
    8: (((16, 16), (32, 32), (64, 64), (128, 128)), 64),
    10: (((32, 32), (64, 64), (128, 128), (256, 256, 256, 256)), 128),
}


def plain_cnn(
    shape: tuple[int, int, int],
    classes: int,
    *,
    size: Literal[2, 4, 6, 8, 10] = 2,
    width: Count = 1,
    normalize: Normalize = "none",
) -> nn.Module:
    """Two to ten convolutions of 3x3 with batch norm, the plain networks of Mirzadeh et al. (2020).

    `width` multiplies their channels: 1 for the paper's CIFAR-10, 2 for its CIFAR-100. Hint layers: `pool1`, `pool2`
    and so on, two to four of them.
    """
    stages, dense = SIZES[size]
    return _plain(shape, classes, [[width * each for each in stage] for stage in stages], dense, normalize)


def cnn3(shape: tuple[int, int, int], classes: int, *, width: Count = 32, normalize: Normalize = "none") -> nn.Module:
    """Three convolutions of 3x3 with batch norm and pooling, of `width` channels, twice and four times as many.

    A student project of about 2018 distilled from and into such a network; of its sizes nothing is known. Hint layers:
    `pool1`, `pool2`, `pool3`.
    """
    return _plain(shape, classes, [[width], [2 * width], [4 * width]], None, normalize)


def _plain(
    shape: tuple[int, int, int], classes: int, stages: list[list[int]], dense: int | None, normalize: Normalize
) -> nn.Module:
    """Stages of convolutions, each ended by a 2x2 pooling, and one or two linear layers."""
    now, height, width = shape
    model, i = nn.Sequential(), 0
    for stage, widths in enumerate(stages, 1):
        for channels in widths:
            i += 1
            model.add_module(f"conv{i}", nn.Conv2d(now, channels, 3, padding=1))
            model.add_module(f"norm{i}", nn.BatchNorm2d(channels))
            model.add_module(f"relu{i}", nn.ReLU())
            now = channels
        model.add_module(f"pool{stage}", nn.MaxPool2d(2))
        height, width = height // 2, width // 2
    if min(height, width) < 1:
        raise ValueError(f"{len(stages)} poolings need at least {2 ** len(stages)} pixels both ways")
    normalized(model.get_submodule("conv1"), normalize, shape[0])
    model.add_module("flatten", nn.Flatten())
    now *= height * width
    if dense:
        model.add_module("dense", nn.Linear(now, dense))
        model.add_module("relu", nn.ReLU())
        now = dense
    model.add_module("logits", nn.Linear(now, classes))
    return he(model)
