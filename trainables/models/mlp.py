"""Fully connected networks."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import nn

from trainables.knobs import Count, Rate
from trainables.models.dropout import Dropout
from trainables.models.weight_init import glorot_init


def mlp(
    shape: tuple[int, ...], classes: int, *, hidden: list[Count], dropout: Rate = 0.0, input_dropout: Rate = 0.0
) -> nn.Module:
    """Linear layers with ReLU between them.

    Hint layers: `relu1`, `relu2` and so on.

    Args:
        hidden: Units of each hidden layer.
        dropout: Dropout rate after each hidden layer.
        input_dropout: Dropout rate of the input pixels.
    """
    widths = [math.prod(shape), *hidden]
    model = nn.Sequential()
    model.add_module("flatten", nn.Flatten())
    model.add_module("dropout0", Dropout(input_dropout))
    for i, (fan_in, fan_out) in enumerate(pairwise(widths), 1):
        model.add_module(f"linear{i}", nn.Linear(fan_in, fan_out))
        model.add_module(f"relu{i}", nn.ReLU())
        model.add_module(f"dropout{i}", Dropout(dropout))
    model.add_module("logits", nn.Linear(widths[-1], classes))
    return glorot_init(model)
