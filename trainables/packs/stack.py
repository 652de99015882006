"""The weights of many students of one shape as one set of tensors, and the network that computes with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.fit import State, TrainableStudent, answer, fresh
from trainables.models.layers import Dropout
from trainables.output import Output


class Learner(nn.Module):
    """A student, and the regressor of its method, as one network."""

    def __init__(self, pupil: TrainableStudent) -> None:
        super().__init__()
        self.model, self.regressor = pupil
        for module in self.modules():
            _suit(module)

    def forward(self, inputs: Tensor, layers: tuple[str, ...] = ()) -> Output:
        """What the student says of prepared images."""
        return answer(TrainableStudent(self.model, self.regressor), inputs, layers)


class Stack(NamedTuple):
    """Tensors [students, ...] by name, and a network of the same shape to be called with one student's."""

    learner: Learner
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All of them."""
        return self.parameters | self.buffers

    def parts(self, student: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The state dicts of one student and of its regressor, still in the memory of all."""
        own, regressor = self.learner.model.state_dict(), self.learner.regressor
        aside = {} if regressor is None else regressor.state_dict()
        tensors = {name: value.detach()[student] for name, value in self.tensors.items()}
        return {name: tensors[f"model.{name}"] for name in own}, {name: tensors[f"regressor.{name}"] for name in aside}


def stack(recipes: Sequence[Recipe], data: Dataset, where: torch.device, starts: Sequence[State]) -> Stack:
    """Stack students as they were after an epoch, or as their seeds start them where no states are given."""
    began = {recipe.seed: Learner(fresh(recipe, data, where)) for recipe in (recipes[:1] if starts else recipes)}
    learner = began[recipes[0].seed]
    each = [_named(state) for state in starts] or [began[recipe.seed].state_dict() for recipe in recipes]
    tensors = {name: torch.stack([one[name].to(where) for one in each]) for name in learner.state_dict()}
    parameters = {name: tensors.pop(name).requires_grad_() for name, _ in learner.named_parameters()}
    return Stack(learner, parameters, tensors)


def _named(state: State) -> dict[str, Tensor]:
    weights = {f"model.{name}": value for name, value in state.weights.items()}
    return weights | {f"regressor.{name}": value for name, value in state.regressor.items()}


def _suit(module: nn.Module) -> None:
    """Have a layer compute the same in a way in which vmap can."""
    if isinstance(module, _BatchNorm):  # takes bfloat16 and computes in float32; under vmap it wants one type
        norm = module.forward
        module.forward = lambda planes: norm(planes.float()).to(planes.dtype)  # type: ignore[method-assign, assignment]
    elif isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size == 1:  # would be a loop over students
        module.forward = lambda planes: planes.mean((-2, -1), keepdim=True)  # type: ignore[method-assign, assignment]


@torch.no_grad()
def dropouts(learner: Learner, inputs: Tensor) -> dict[str, torch.Size]:
    """What is dropped from, by the names of the layers in the order in which they draw: shapes for these inputs."""
    shapes: dict[str, torch.Size] = {}

    def keep(name: str):
        return lambda _module, given: shapes.setdefault(name, given[0].shape) and None

    layers = {name: each for name, each in learner.named_modules() if isinstance(each, Dropout) and each.random}
    hooks = [each.register_forward_pre_hook(keep(name)) for name, each in layers.items()]
    learner.eval()
    if layers:
        learner(inputs)
    for hook in hooks:
        hook.remove()
    return shapes
