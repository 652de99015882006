"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from inspect import unwrap
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spaces.recipe import Train

Kind = TypeVar("Kind", bound=type[Optimizer])


def _without_compiler(kind: Kind) -> Kind:
    """The same optimiser, bit for bit, that never asks torch's compiler whether it is at work.

    torch wraps these methods so that their first call imports the compiler: seconds and over 100 MB in every process.
    """
    methods = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    plain = {name: unwrap(getattr(kind, name)) for name in methods}
    return cast(Kind, type(kind.__name__, (kind,), {**plain, "step": torch.no_grad()(unwrap(kind.step))}))


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    # eps as in Keras, in which the assignment and the papers before 2020 were trained
    "adam": partial(_without_compiler(torch.optim.Adam), eps=1e-7, fused=True),
    "adamw": partial(_without_compiler(torch.optim.AdamW), eps=1e-7, fused=True),
    "rmsprop": partial(_without_compiler(torch.optim.RMSprop), alpha=0.9, foreach=True),
    "sgd": partial(_without_compiler(torch.optim.SGD), fused=True),
}

FALL = 0.1  # what is left of the rate after a milestone

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "linear": lambda progress: 1 - progress,
    "step": lambda progress: 1.0,  # but for the milestones, which are epochs
}


def optimizer(model: nn.Module, train: Train) -> Optimizer:
    """The optimiser of a training over all parameters of a model."""
    momentum = {"momentum": train.momentum, "nesterov": train.momentum > 0} if train.optimizer == "sgd" else {}
    make = OPTIMIZERS[train.optimizer]
    return make(model.parameters(), lr=train.lr, weight_decay=train.weight_decay, **momentum)


def rate(train: Train, step: int, steps: int) -> float:
    """The learning rate at a step, counted from 0, of an epoch-long number of steps: linear warm-up, then the schedule.

    The schedule runs over the full number of epochs, whether or not the training is stopped early; a first phase has
    its own rate in place of the training's.
    """
    warmup, total = train.warmup * steps, train.epochs * steps
    lr = train.head_first.lr if train.head_first and step < train.head_first.epochs * steps else train.lr
    if step < warmup:
        return lr * (step + 1) / warmup
    lr *= FALL ** sum(step >= milestone * steps for milestone in train.milestones or ())
    return lr * SCHEDULES[train.schedule]((step - warmup) / max(1, total - warmup))


def flatten(optimiser: Optimizer) -> dict[str, Tensor]:
    """The optimiser's state as flat tensors, named "index.name"; everything else in it follows from the recipe."""
    state = optimiser.state_dict()["state"]
    named = ((f"{index}.{name}", value) for index, item in state.items() for name, value in item.items())
    return {name: value for name, value in named if value is not None}


def unflatten(optimiser: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back copies of what `flatten` took."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    content = optimiser.state_dict()
    for name, value in tensors.items():
        index, _, item = name.partition(".")
        content["state"].setdefault(int(index), {})[item] = _laid_out_like(parameters[int(index)], value)
    optimiser.load_state_dict(content)


def _laid_out_like(parameter: Tensor, value: Tensor) -> Tensor:
    # Fused steps walk through raw memory: a momentum whose strides are not its weight's would meet the wrong elements.
    if value.shape != parameter.shape:
        return value.clone()
    return torch.empty_like(parameter, dtype=value.dtype, device=value.device).copy_(value)
