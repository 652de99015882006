"""Contract of a plugin's method with its own module."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from spaces.errors import did_you_mean
from trainables.declare import declaration_of
from trainables.methods import INPUTS, METHODS


def signature_problems(name: str) -> Iterator[str]:
    """Yield unknown inputs of a method, and an undeclared or unused module."""
    function = METHODS[name]
    parameters = inspect.signature(function).parameters.values()
    inputs = [parameter for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD][3:]
    for parameter in inputs:
        if parameter.name not in INPUTS and parameter.default is parameter.empty:
            expected = f"expected student, teacher, labels and any of {', '.join(INPUTS)}, then the knobs after *"
            yield f"{name}: no input {parameter.name} for a method{did_you_mean(parameter.name, INPUTS)}; {expected}"
    declared = declaration_of(function).module is not None
    if declared != ("module" in {parameter.name for parameter in inputs}):
        missing = "the argument module" if declared else "the declaration of its module: @declare(module=…)"
        yield f"{name} lacks {missing}"


def module_problems(name: str, module: nn.Module) -> Iterator[str]:
    """Yield a parameter of a method's module without a gradient."""
    for parameter_name, parameter in module.named_parameters():
        if parameter.requires_grad and parameter.grad is None:
            yield f"{name}: no gradient reaches the parameter {parameter_name} of its module"


def restored_problems(
    name: str, loss_of: Callable[[nn.Module], Tensor], module: nn.Module, fresh: nn.Module
) -> Iterator[str]:
    """Yield state of a used module, lost by its checkpoint.

    `fresh` is the same module before its first use. The loss of both must be equal after it has loaded the state.
    """
    try:
        fresh.load_state_dict(module.state_dict())
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        yield f"{name}: the state of its module cannot be restored from a checkpoint: {lines[-1]}"
        return
    losses = []
    for used in (module, fresh):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            losses.append(loss_of(used))
    if not torch.equal(*losses):
        yield f"{name}: its module has state that a checkpoint does not hold; use register_buffer"
