"""Weights of several students with one architecture, stacked as [students, ...]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.fit import TrainingState
from trainables.models.dropout import Dropout
from trainables.output import Output
from trainables.trainable_student import TrainableStudent, build_student, student_output

METHOD_MODULE = "method_module."  # prefix of its tensors in a StudentNetwork


class StudentNetwork(nn.Module):
    """A student and the module of its method, for vmap."""

    def __init__(self, student: TrainableStudent) -> None:
        super().__init__()
        self.model, self.method_module = student
        for module in self.modules():
            _adapt_to_vmap(module)

    def forward(self, images: Tensor, layers: tuple[str, ...] = ()) -> Output:
        """Return the output for prepared images."""
        return student_output(self.model, images, layers)


class StackedStudents(NamedTuple):
    """Stacked tensors by name, and the network of one student."""

    network: StudentNetwork
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers."""
        return self.parameters | self.buffers

    def state_dicts(self, student: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the state dicts of one student and its method's module.

        They are views of the stacked tensors.
        """
        model, module = self.network.model.state_dict(), self.network.method_module
        module_names = () if module is None else module.state_dict()
        tensors = {name: value.detach()[student] for name, value in self.tensors.items()}
        return (
            {name: tensors[f"model.{name}"] for name in model},
            {name: tensors[f"{METHOD_MODULE}{name}"] for name in module_names},
        )


def stack_students(
    recipes: Sequence[Recipe], data: Dataset, device: torch.device, starts: Sequence[TrainingState]
) -> StackedStudents:
    """Stack students, initialized by their seeds or from states."""
    built = recipes[:1] if starts else recipes
    networks = {recipe.seed: StudentNetwork(build_student(recipe, data, device)) for recipe in built}
    network = networks[recipes[0].seed]
    if starts:
        students = [_state_tensors(state) for state in starts]
    else:
        students = [networks[recipe.seed].state_dict() for recipe in recipes]
    tensors = {name: torch.stack([student[name].to(device) for student in students]) for name in network.state_dict()}
    parameters = {name: tensors.pop(name).requires_grad_() for name, _ in network.named_parameters()}
    return StackedStudents(network, parameters, tensors)


def _state_tensors(state: TrainingState) -> dict[str, Tensor]:
    """Return the tensors of a state by their names in a StudentNetwork."""
    weights = {f"model.{name}": value for name, value in state.weights.items()}
    return weights | {f"{METHOD_MODULE}{name}": value for name, value in state.method_module.items()}


def call_method_module(network: StudentNetwork, tensors: dict[str, Tensor], *arguments: Tensor) -> Any:
    """Call the module of a method with the tensors of one student."""
    assert network.method_module is not None
    own = {name.removeprefix(METHOD_MODULE): tensors[name] for name in tensors if name.startswith(METHOD_MODULE)}
    return functional_call(network.method_module, own, arguments)


def _adapt_to_vmap(module: nn.Module) -> None:
    """Replace a layer's forward by an equal one for vmap."""
    if isinstance(module, _BatchNorm):  # accepts bfloat16 with float32 weights, but not under vmap
        norm = module.forward
        module.forward = lambda maps: norm(maps.float()).to(maps.dtype)  # type: ignore[method-assign, assignment]
    elif isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size == 1:  # vmap would loop over the students
        module.forward = lambda maps: maps.mean((-2, -1), keepdim=True)  # type: ignore[method-assign, assignment]


@torch.no_grad()
def dropout_shapes(network: StudentNetwork, images: Tensor) -> dict[str, torch.Size]:
    """Return the input shapes of dropout layers, in drawing order."""
    shapes: dict[str, torch.Size] = {}

    def make_hook(name: str):
        return lambda _module, inputs: shapes.setdefault(name, inputs[0].shape) and None

    layers = {
        name: module for name, module in network.named_modules() if isinstance(module, Dropout) and module.is_random
    }
    hooks = [module.register_forward_pre_hook(make_hook(name)) for name, module in layers.items()]
    network.eval()
    if layers:
        network(images)
    for hook in hooks:
        hook.remove()
    return shapes
