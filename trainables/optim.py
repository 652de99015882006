"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from inspect import unwrap
from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spaces.training import Train

OptimizerType = TypeVar("OptimizerType", bound=type[Optimizer])


def _without_compiler(optimizer_type: OptimizerType) -> OptimizerType:
    """Return an optimizer class with the same results and without torch's compiler.

    torch wraps these methods so that their first call imports the compiler: seconds and over 100 MB in every process.
    """
    methods = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    plain = {name: unwrap(getattr(optimizer_type, name)) for name in methods}
    plain["step"] = torch.no_grad()(unwrap(optimizer_type.step))
    return cast(OptimizerType, type(optimizer_type.__name__, (optimizer_type,), plain))


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    # eps of Keras, with which the published results before 2020 were made
    "adam": partial(_without_compiler(torch.optim.Adam), eps=1e-7, fused=True),
    "adamw": partial(_without_compiler(torch.optim.AdamW), eps=1e-7, fused=True),
    "rmsprop": partial(_without_compiler(torch.optim.RMSprop), alpha=0.9, foreach=True),
    "sgd": partial(_without_compiler(torch.optim.SGD), fused=True),
}

DEFAULT_DECAY = 0.1  # of the learning rate, at each milestone

# Factor of the learning rate by progress after the warm-up: 0 at its first step, below 1 at the last one.
# To add a schedule, add its name to the Literal in spaces/training.py, too.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
    "linear": lambda progress: 1 - progress,
    "step": lambda progress: 1.0,  # times train.decay after each milestone
}


def build_optimizer(model: nn.Module, train: Train) -> Optimizer:
    """Return the optimizer of a training for all parameters of a model."""
    nesterov = train.momentum > 0 if train.nesterov is None else train.nesterov
    momentum = {"momentum": train.momentum, "nesterov": nesterov} if train.optimizer == "sgd" else {}
    optimizer_type = OPTIMIZERS[train.optimizer]
    return optimizer_type(model.parameters(), lr=train.lr, weight_decay=train.weight_decay, **momentum)


def learning_rate(train: Train, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step.

    Steps are counted from 0 over all epochs. A linear warm-up comes first, then the schedule over all planned epochs,
    also if the training is stopped early. A first phase (`head_first`) has its own peak rate.
    """
    warmup, total = train.warmup * steps_per_epoch, train.epochs * steps_per_epoch
    first_phase = train.head_first
    lr = first_phase.lr if first_phase and step < first_phase.epochs * steps_per_epoch else train.lr
    if step < warmup:
        return lr * (step + 1) / warmup
    decay = DEFAULT_DECAY if train.decay is None else train.decay
    lr *= decay ** sum(step >= milestone * steps_per_epoch for milestone in train.milestones or ())
    return lr * SCHEDULES[train.schedule]((step - warmup) / max(1, total - warmup))


def flatten_state(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the tensors of an optimizer's state by "index.name".

    The rest of its state follows from the recipe.
    """
    state = optimizer.state_dict()["state"]
    named = ((f"{index}.{name}", value) for index, item in state.items() for name, value in item.items())
    return {name: value for name, value in named if value is not None}


def restore_state(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Restore a state from copies of the tensors of `flatten_state`."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    content = optimizer.state_dict()
    for name, value in tensors.items():
        index, _, item = name.partition(".")
        content["state"].setdefault(int(index), {})[item] = _copy_to_layout(parameters[int(index)], value)
    optimizer.load_state_dict(content)


def _copy_to_layout(parameter: Tensor, value: Tensor) -> Tensor:
    # Fused optimizers read raw memory, so a momentum must have the strides of its parameter.
    if value.shape != parameter.shape:
        return value.clone()
    return torch.empty_like(parameter, dtype=value.dtype, device=value.device).copy_(value)
