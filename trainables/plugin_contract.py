"""Contract of the networks and methods of plugins.

It is checked on a few examples before anything is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from spaces.errors import Problem, UserError
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.data.dataset import UNLABELED
from trainables.hints import missing_layers
from trainables.methods import METHODS, method_requirements
from trainables.models import MODELS, build_network
from trainables.module_contract import module_problems, restored_problems, signature_problems
from trainables.output import Output, layer_activations, member_outputs, prepare_images
from trainables.plugin_functions import is_plugin, plugin_error
from trainables.trainable_student import build_student, student_output

EXAMPLES = 4  # of training images

Check = Callable[[Recipe, Dataset], Iterator[str]]


def contract_problems(recipe: Recipe, data: Dataset) -> Iterator[Problem]:
    """Yield the violations of a plugin's network or method.

    This project's own functions are tested instead.
    """
    problem = None
    if is_plugin(MODELS[recipe.network.name]):
        problem = _checked_once(_network_problem, recipe, data)
        yield from [("student.model", problem)] if problem else []
    if is_plugin(METHODS[recipe.method.name]) and problem is None and not any(missing_layers(recipe, data)):
        problem = _checked_once(_method_problem, recipe, data)
        yield from [("method", problem)] if problem else []


def _checked_once(check: Check, recipe: Recipe, data: Dataset) -> str | None:
    """Check one network or method once for all its students."""
    parts = recipe.model_dump_json(include={"student", "method", "teacher", "train"})
    return _first_problem(check, parts, _Inputs(recipe, data))


class _Inputs:
    """Recipe and data of a check, compared by data only."""

    def __init__(self, recipe: Recipe, data: Dataset) -> None:
        self.recipe, self.data = recipe, data

    def __eq__(self, inputs: object) -> bool:
        return isinstance(inputs, _Inputs) and inputs.data.train.images is self.data.train.images

    def __hash__(self) -> int:
        return id(self.data.train.images)


@lru_cache(maxsize=64)
def _first_problem(check: Check, _parts: str, inputs: _Inputs) -> str | None:
    try:
        return next(check(inputs.recipe, inputs.data), None)
    except UserError as error:
        return str(error)
    except Exception as error:  # a plugin can raise anything
        return plugin_error(error)


def _network_problem(recipe: Recipe, data: Dataset) -> Iterator[str]:
    """Yield the first problem of a network's outputs and gradients."""
    name, classes = recipe.network.name, len(data.classes)
    network, images = build_network(recipe.network, data.shape, classes), prepare_images(_examples(data)[0])
    if any(is_lazy(parameter) for parameter in network.parameters()):
        yield f"{name} has lazy layers, expected layers of known sizes"
    if not any(parameter.requires_grad for parameter in network.parameters()):
        yield f"{name} has no parameters to train"
    network.eval()
    with torch.no_grad():
        logits = network(images)
    if logits.shape != (len(images), classes):
        expected = f"expected {[len(images), classes]}: one logit for each class"
        yield f"{name} returned {list(logits.shape)} for {len(images)} images, {expected}"
    if not logits.is_floating_point():
        yield f"{name} returned numbers of type {logits.dtype}, expected floats"
    if not logits.isfinite().all():
        yield f"{name} returned NaN or infinite logits"
    if classes > 1 and (logits >= 0).all() and torch.allclose(logits.sum(1), torch.ones(len(images)), atol=1e-4):
        yield f"{name} returned probabilities, expected logits before softmax"
    trained = network.train()(images)
    if trained.requires_grad:
        trained.float().logsumexp(1).sum().backward()
    if all(parameter.grad is None for parameter in network.parameters()):
        yield f"{name}: no parameter is reached by the gradient"
    network.eval()
    with torch.no_grad():
        single = network(images[:1])
    if not torch.allclose(single, network(images)[:1], rtol=1e-3, atol=1e-4):
        yield f"{name}: in evaluation, the logits of an image depend on the other images of its batch"


def _method_problem(recipe: Recipe, data: Dataset) -> Iterator[str]:
    """Yield the first problem of a method's loss, gradients or module."""
    yield from signature_problems(recipe.method.name)
    name, required = recipe.method.name, method_requirements(recipe.method)
    images, labels = _examples(data)
    student, fresh = (build_student(recipe, data, torch.device("cpu")) for _ in range(2))
    output = student_output(student.model, prepare_images(images), required.student_layers)
    teacher = _random_teacher_output(recipe, data, prepare_images(images)) if recipe.teacher else None
    indices = torch.arange(len(images))

    def loss_of(module: nn.Module | None, member: Output) -> Tensor:
        inputs = required.select_inputs(recipe.train, 1, images=images, indices=indices, module=module)
        return METHODS[name](member, teacher, labels, **inputs, **recipe.method.knobs)

    for member in member_outputs(output):
        loss = loss_of(student.method_module, member)
        if not isinstance(loss, Tensor) or loss.shape != (len(images),):
            kind = f"{list(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            yield f"{name} returned {kind}, expected one loss per example, {[len(images)]}: not their mean or sum"
        if not loss.isfinite().all():
            yield f"{name} returned a loss that is NaN or infinite"
        if not loss.requires_grad:
            yield f"{name}: no gradient reaches the student; its logits must not be detached"
        leaves = {id(leaf): leaf for leaf in _leaves(loss)}
        outputs = [] if teacher is None else [teacher.logits, *teacher.features.values()]
        if any(id(tensor) in leaves for tensor in outputs):
            yield f"{name}: the gradient reaches the teacher; detach its tensors"
        own = {id(parameter) for parameter in student.module().parameters()}
        untrained = [leaf for key, leaf in leaves.items() if key not in own and isinstance(leaf, nn.Parameter)]
        if untrained:
            shape = list(untrained[0].shape)
            yield f"{name}: a parameter of its own, {shape}, is never trained: declare it by @declare(module=…)"
        if student.method_module is not None and fresh.method_module is not None:
            loss.sum().backward(retain_graph=True)
            yield from module_problems(name, student.method_module)
            modules = student.method_module, fresh.method_module
            yield from restored_problems(name, partial(loss_of, member=member), *modules)


def _random_teacher_output(recipe: Recipe, data: Dataset, images: Tensor) -> Output:
    """Return outputs of an untrained teacher, with gradients."""
    layers, own = method_requirements(recipe.method).teacher_layers, recipe.teacher_recipes()[0]
    network = build_network(own.network, data.shape, len(data.classes)).eval()
    with torch.no_grad():
        logits, features = network(images), layer_activations(network, images, layers) if layers else {}
    features = {layer: values.detach().clone().requires_grad_() for layer, values in features.items()}
    return Output(logits.detach().clone().requires_grad_(), features)


def _leaves(loss: Tensor) -> Iterator[Tensor]:
    """Yield the leaf tensors of a loss."""
    seen, stack = set(), [loss.grad_fn]
    while stack:
        node = stack.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if (leaf := getattr(node, "variable", None)) is not None:
            yield leaf
        stack += [before for before, _ in node.next_functions]


def _examples(data: Dataset) -> tuple[Tensor, Tensor]:
    """Return some training images and their labels."""
    labeled = np.flatnonzero(data.train.labels != UNLABELED)[:EXAMPLES]
    images, labels = (torch.from_numpy(array[labeled]) for array in data.train)
    return images, labels
