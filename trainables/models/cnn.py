"""Convolutional teacher of the ECE1512 assignment."""

from __future__ import annotations

from typing import Literal

from torch import nn

from trainables.knobs import Rate
from trainables.models.dropout import Dropout
from trainables.models.weight_init import glorot_init


def cnn(
    shape: tuple[int, int, int], classes: int, *, padding: Literal["same", "valid"] = "same", dropout: Rate = 0.5
) -> nn.Module:
    """Two 3x3 convolutions (32, 64 channels) and a dense layer of 128.

    The teacher of the ECE1512 assignment (University of Toronto), figure 2. Each convolution has a 2x2 pool, of
    stride 1 and then 2. The assignment leaves the padding open. Hint layers: `pool1`, `pool2`, `relu3`.

    Args:
        padding: Padding of the convolutions; on 28x28 images same has 1,404,682 parameters, valid 1,011,466.
        dropout: Dropout rate before and after the dense layer.
    """
    channels, height, width = shape
    border = 0 if padding == "same" else 2
    height, width = ((side - border - 1 - border) // 2 for side in (height, width))
    if min(height, width) < 1:
        raise ValueError(f"padding {padding} needs at least {3 + 2 * border} pixels both ways")
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv2d(channels, 32, 3, padding=padding))
    model.add_module("relu1", nn.ReLU())
    model.add_module("pool1", nn.MaxPool2d(2, stride=1))
    model.add_module("conv2", nn.Conv2d(32, 64, 3, padding=padding))
    model.add_module("relu2", nn.ReLU())
    model.add_module("pool2", nn.MaxPool2d(2, stride=2))
    model.add_module("flatten", nn.Flatten())
    model.add_module("dropout1", Dropout(dropout))
    model.add_module("dense", nn.Linear(64 * height * width, 128))
    model.add_module("relu3", nn.ReLU())
    model.add_module("dropout2", Dropout(dropout))
    model.add_module("logits", nn.Linear(128, classes))
    return glorot_init(model)
