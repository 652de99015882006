"""Residual networks for images of 32 by 32 pixels."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import pad

from trainables.declare import declare
from trainables.knobs import Count
from trainables.models.weight_init import he_init

STAGE_CHANNELS = (16, 32, 64)  # each stage has half the side of the previous one


@declare(paper="He et al. (2016), section 4.2")
def resnet_cifar(
    shape: tuple[int, int, int],
    classes: int,
    *,
    depth: Count = 20,
    width: Count = 1,
    block: Literal["basic", "bottleneck"] = "basic",
    preactivation: bool = False,
    shortcut: Literal["conv", "pad"] = "conv",
) -> nn.Module:
    """Residual networks for small images: ResNet-20, 32, 44, 56, 110 and others.

    resnet8x4 and resnet32x4 of published tables have a width of 4. Like these, every network wider than 1 starts from
    32 channels. ResNet-164 has bottlenecks and preactivation (He et al. 2016, arXiv:1603.05027). ResNet-20 has 272,474
    weights for 10 classes with `shortcut: conv`, 269,722 with `shortcut: pad`. Hint layers: `layer1`, `layer2`,
    `layer3`.

    Args:
        depth: Number of weight layers: 6n + 2 with basic blocks, 9n + 2 with bottlenecks.
        width: Factor of the channels 16, 32 and 64.
        block: Two 3x3 convolutions (basic), or three of 1x1, 3x3 and 1x1 (bottleneck).
        preactivation: Put batch norm and ReLU before each convolution instead of after it.
        shortcut: Shortcut at a change of size: a 1x1 convolution as in published tables, or zeros as in the paper.
    """
    convs = 2 if block == "basic" else 3
    blocks, rest = divmod(depth - 2, 3 * convs)
    if rest or blocks < 1:
        raise ValueError(f"depth: found {depth}, expected {3 * convs}n + 2 with {block} blocks, as in {9 * convs + 2}")
    channels = 16 if width == 1 else 32
    model = nn.Sequential()
    model.add_module("conv", nn.Conv2d(shape[0], channels, 3, padding=1, bias=False))
    model.add_module("start", nn.Identity() if preactivation else _norm_relu(channels))
    for i, middle in enumerate(STAGE_CHANNELS, 1):
        out = middle * width * (1 if block == "basic" else 4)
        sizes = [(channels, out, 1 if i == 1 else 2), *[(out, out, 1)] * (blocks - 1)]
        blocks_of_stage = [_residual_block(size, middle * width, preactivation, shortcut) for size in sizes]
        model.add_module(f"layer{i}", nn.Sequential(*blocks_of_stage))
        channels = out
    model.add_module("end", _norm_relu(channels) if preactivation else nn.Identity())
    model.add_module("average", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("logits", nn.Linear(channels, classes))
    return he_init(model)


class ResidualBlock(nn.Module):
    """Convolutions beside a shortcut.

    With preactivation the input of both is activated, and their sum is not.
    """

    def __init__(self, before: nn.Module, branch: nn.Module, shortcut: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.before, self.branch, self.shortcut, self.after = before, branch, shortcut, after

    def forward(self, planes: Tensor) -> Tensor:
        """Feature maps [batch, channels, height, width]."""
        activated = self.before(planes)
        direct = activated if isinstance(self.shortcut, nn.Conv2d) else planes
        return self.after(self.branch(activated) + self.shortcut(direct))


class PaddedShortcut(nn.Module):
    """Shortcut without weights: strided pixels and channels of zeros.

    Option A of He et al. (2016).
    """

    def __init__(self, extra_channels: int, stride: int) -> None:
        super().__init__()
        self.extra_channels, self.stride = extra_channels, stride

    def forward(self, planes: Tensor) -> Tensor:
        """Feature maps with more channels and a smaller size."""
        return pad(planes[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra_channels))


def _residual_block(size: tuple[int, int, int], middle: int, preactivation: bool, shortcut: str) -> ResidualBlock:
    """Build a block of two convolutions, or of three in a bottleneck.

    `size` is (input channels, output channels, stride); `middle` are the channels inside.
    """
    channels, out, stride = size
    convs = [_plain_conv(channels, middle, 3, stride), _plain_conv(middle, out, 3)]
    if middle != out:
        convs = [
            _plain_conv(channels, middle, 1),
            _plain_conv(middle, middle, 3, stride),
            _plain_conv(middle, out, 1),
        ]
    branch = nn.Sequential(convs[0])
    for before, conv in pairwise(convs):
        branch.extend([*_norm_relu(before.out_channels), conv])
    if preactivation:
        direct = _residual_shortcut(size, shortcut, norm=False)
        return ResidualBlock(_norm_relu(channels), branch, direct, nn.Identity())
    branch.append(nn.BatchNorm2d(out))
    return ResidualBlock(nn.Identity(), branch, _residual_shortcut(size, shortcut, norm=True), nn.ReLU())


def _residual_shortcut(size: tuple[int, int, int], kind: str, *, norm: bool) -> nn.Module:
    channels, out, stride = size
    if (channels, stride) == (out, 1):
        return nn.Identity()
    if kind == "pad":
        return PaddedShortcut(out - channels, stride)
    conv = _plain_conv(channels, out, 1, stride)
    return nn.Sequential(conv, nn.BatchNorm2d(out)) if norm else conv


def _plain_conv(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False)


def _norm_relu(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
