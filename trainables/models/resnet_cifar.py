"""Residual networks for images of 32 by 32 pixels, after He et al. (2016), section 4.2."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import pad

from trainables.knobs import Count
from trainables.models.init import he
from trainables.models.stem import Normalize, normalized

STAGES = (16, 32, 64)  # channels, each stage at half the side of the one before it


def resnet_cifar(
    shape: tuple[int, int, int],
    classes: int,
    *,
    depth: Count = 20,
    width: Count = 1,
    block: Literal["basic", "bottleneck"] = "basic",
    preactivation: bool = False,
    shortcut: Literal["conv", "pad"] = "conv",
    normalize: Normalize = "none",
) -> nn.Module:
    """ResNet-20, 32, 44, 56, 110 …: a depth of 6n + 2 in basic blocks, or of 9n + 2 in bottlenecks of three.

    `width` multiplies the channels 16, 32, 64: resnet8x4 and resnet32x4 of the field's tables have 4, and like these
    every wide one starts from 32 channels. Where the size of the planes changes the shortcut is a 1x1 convolution, as
    in those tables, or padded with zeros, as in the paper: ResNet-20 has 272,474 or 269,722 weights for 10 classes.
    ResNet-164 has bottlenecks and preactivation (He et al. 2016, arXiv:1603.05027). Hint layers: `layer1`, `layer2`,
    `layer3`.
    """
    convs = 2 if block == "basic" else 3
    blocks, rest = divmod(depth - 2, 3 * convs)
    if rest or blocks < 1:
        raise ValueError(f"depth: found {depth}, expected {3 * convs}n + 2 with {block} blocks, as in {9 * convs + 2}")
    now = 16 if width == 1 else 32
    model = nn.Sequential()
    model.add_module("conv", nn.Conv2d(shape[0], now, 3, padding=1, bias=False))
    normalized(model.get_submodule("conv"), normalize, shape[0])
    model.add_module("start", nn.Identity() if preactivation else _activation(now))
    for i, middle in enumerate(STAGES, 1):
        out = middle * width * (1 if block == "basic" else 4)
        sizes = [(now, out, 1 if i == 1 else 2), *[(out, out, 1)] * (blocks - 1)]
        made = [_block(size, middle * width, preactivation, shortcut) for size in sizes]
        model.add_module(f"layer{i}", nn.Sequential(*made))
        now = out
    model.add_module("end", _activation(now) if preactivation else nn.Identity())
    model.add_module("average", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("logits", nn.Linear(now, classes))
    return he(model)


class Residual(nn.Module):
    """Convolutions beside a shortcut; with preactivation, what both start from is activated and their sum is not."""

    def __init__(self, before: nn.Module, branch: nn.Module, shortcut: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.before, self.branch, self.shortcut, self.after = before, branch, shortcut, after

    def forward(self, planes: Tensor) -> Tensor:
        """Planes [batch, channels, height, width] after this block."""
        activated = self.before(planes)
        direct = activated if isinstance(self.shortcut, nn.Conv2d) else planes
        return self.after(self.branch(activated) + self.shortcut(direct))


class Padded(nn.Module):
    """Every second pixel, and channels of zeros: the shortcut without weights (option A of He et al.)."""

    def __init__(self, more: int, stride: int) -> None:
        super().__init__()
        self.more, self.stride = more, stride

    def forward(self, planes: Tensor) -> Tensor:
        """Planes with `more` channels, at a `stride`th of the size."""
        return pad(planes[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))


def _block(size: tuple[int, int, int], middle: int, preactivation: bool, shortcut: str) -> Residual:
    """A block from so many channels to so many at a stride, through `middle` channels; two convolutions, or three."""
    channels, out, stride = size
    convs = [_conv(channels, middle, 3, stride), _conv(middle, out, 3)]
    if middle != out:
        convs = [_conv(channels, middle, 1), _conv(middle, middle, 3, stride), _conv(middle, out, 1)]
    branch = nn.Sequential(convs[0])
    for before, conv in pairwise(convs):
        branch.extend([*_activation(before.out_channels), conv])
    if preactivation:
        return Residual(_activation(channels), branch, _shortcut(size, shortcut, norm=False), nn.Identity())
    branch.append(nn.BatchNorm2d(out))
    return Residual(nn.Identity(), branch, _shortcut(size, shortcut, norm=True), nn.ReLU())


def _shortcut(size: tuple[int, int, int], kind: str, *, norm: bool) -> nn.Module:
    channels, out, stride = size
    if (channels, stride) == (out, 1):
        return nn.Identity()
    if kind == "pad":
        return Padded(out - channels, stride)
    conv = _conv(channels, out, 1, stride)
    return nn.Sequential(conv, nn.BatchNorm2d(out)) if norm else conv


def _conv(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False)


def _activation(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
