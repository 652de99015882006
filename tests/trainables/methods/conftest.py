"""Outputs of a student and a teacher for a batch, with the activations for all methods."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spaces.parts import Method
from spaces.training import Train
from trainables.declare import declaration_of
from trainables.knobs import StudentLayer, TeacherLayer, knob_schema, marked_knobs
from trainables.methods import METHODS, method_requirements
from trainables.observed_shapes import ObservedShapes
from trainables.output import Output

BATCH, CLASSES, SUBCLASSES, STUDENTS, EPOCHS = 6, 5, 2, 3, 9
# shapes per example: hint layers "first" and "second" of both networks, and features added by the training loop
TEACHER = {"first": (2, 2, 3), "second": (2, 2, 3), "subclasses": (CLASSES * SUBCLASSES,)}
STUDENT = {"first": (3, 3, 4), "second": (1, 3, 3), "subclasses": (CLASSES * SUBCLASSES,)}
ROUTED = {"students": (STUDENTS, CLASSES), "selector": (STUDENTS,)}  # of a routed network


class Case(NamedTuple):
    """Arguments of a loss beside its knobs."""

    student: Output
    teacher: Output
    labels: Tensor

    def rows(self, index: list[int]) -> Case:
        """Return a case of these examples, in this order."""
        student, teacher = (
            Output(output.logits[index], {name: features[index] for name, features in output.features.items()})
            for output in (self.student, self.teacher)
        )
        return Case(student, teacher, self.labels[index])

    def mirrored(self) -> Case:
        """Return a case with outputs of the student equal to the teacher's."""
        logits, features = self.teacher
        students = {"students": logits[:, None].repeat(1, STUDENTS, 1)}
        return self._replace(student=Output(logits, {**self.student.features, **features, **students}))


@pytest.fixture(scope="session")
def random_case() -> Callable[..., Case]:
    """Return a function for random cases of a method.

    Values are normal, or with `high` 1e4 at that rate and otherwise -1e4.
    """

    def make(
        name: str = "hinton",
        *,
        seed: int = 0,
        scale: float = 3.0,
        dtype: torch.dtype = torch.float64,
        high: float | None = None,
    ) -> Case:
        random = torch.Generator().manual_seed(seed)

        def draw(*shape: int) -> Tensor:
            if high is None:
                return scale * torch.randn(BATCH, *shape, generator=random, dtype=dtype)
            return 2e4 * (torch.rand(BATCH, *shape, generator=random, dtype=dtype) < high) - 1e4

        student, teacher = (
            Output(draw(CLASSES), {layer: draw(*shape) for layer, shape in shapes.items()})
            for shapes in (STUDENT | (ROUTED if name == "routed" else {}), TEACHER)
        )
        return Case(student, teacher, torch.randint(CLASSES, (BATCH,), generator=random))

    return make


@pytest.fixture(scope="session")
def knobs() -> Callable[..., dict[str, Any]]:
    """Return a function for random values of a method's knobs, inside their bounds.

    Values of seeds 0 and 1 differ.
    """

    def knobs_of(name: str, seed: int = 0) -> dict[str, Any]:
        fields = knob_schema(METHODS[name]).model_json_schema().get("properties", {})
        layers = marked_knobs(METHODS[name], StudentLayer) + marked_knobs(METHODS[name], TeacherLayer)
        return {
            knob: draw_layers(field, seed) if knob in layers else draw(field, f"{knob}{seed}", seed)
            for knob, field in fields.items()
        }

    def draw_layers(field: dict[str, Any], seed: int) -> str | list[str]:
        names = [("first", "second")[(seed + i) % 2] for i in range(2)]
        return names if field["type"] == "array" else names[0]

    def draw(field: dict[str, Any], knob: str, seed: int) -> Any:
        field = next(option for option in field.get("anyOf", [field]) if option.get("type") != "null")
        if "enum" in field:
            return field["enum"][seed % 2]
        if field["type"] == "boolean":
            return field["default"] != bool(seed % 2)
        if field["type"] == "array":
            return [draw(field["items"], f"{knob}{i}", seed) for i in range(2)]
        low = field.get("minimum", field.get("exclusiveMinimum"))
        if field["type"] == "integer":
            return low + 1 + seed % 3
        assert field["type"] == "number", f"no random values for {field['type']}"
        high = min(field.get("maximum", field.get("exclusiveMaximum", low + 8.1)), low + 8.1)
        return random.Random(knob).uniform(low + 0.1, high - 0.1)

    return knobs_of


@pytest.fixture(scope="session")
def loss() -> Callable[..., Tensor]:
    """Return a function for a method's loss of a case, by default in epoch 5 of 9.

    A module of the method is new in each call, unless one is given.
    """

    def method_loss(name: str, case: Case, epoch: int = 5, module: Any = None, **knobs: Any) -> Tensor:
        required = method_requirements(Method(name=name, **knobs))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            inputs = required.select_inputs(
                Train(epochs=EPOCHS),
                epoch,
                images=torch.zeros(len(case.labels), 1, 2, 2, dtype=torch.uint8),
                indices=torch.arange(len(case.labels)),
                module=module or module_of(name, case, **knobs),
            )
            return METHODS[name](*case, **inputs, **knobs)

    return method_loss


def module_of(name: str, case: Case, **knobs: Any) -> nn.Module | None:
    """Return the module of a method for a case, always with the same weights.

    It takes activations of any precision, as under autocast.
    """
    builder = declaration_of(METHODS[name]).module
    if builder is None:
        return None
    student, teacher = (
        {layer: features.shape[1:] for layer, features in outputs.features.items()} for outputs in case[:2]
    )
    labels = torch.arange(100) % CLASSES
    dtype = case.student.logits.dtype
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        shapes = ObservedShapes(student, teacher, frozenset(), labels)
        module = builder(shapes, **method_requirements(Method(name=name, **knobs)).module_knobs).to(dtype)
    forward = module.forward
    module.forward = lambda *inputs: forward(*(to_dtype(values, dtype) for values in inputs))
    return module


def to_dtype(values: Any, dtype: torch.dtype) -> Any:
    """Convert floats to a precision; others stay."""
    if isinstance(values, list):
        return [to_dtype(value, dtype) for value in values]
    return values.to(dtype) if isinstance(values, Tensor) and values.is_floating_point() else values


@pytest.fixture(scope="session")
def method_module() -> Callable[..., nn.Module | None]:
    """Return a function for the module of a method, see module_of."""
    return module_of


@pytest.fixture(scope="session")
def gradients(loss: Callable[..., Tensor]) -> Callable[..., dict[str, Tensor]]:
    """Return a function for the derivatives of the summed loss by the student's outputs.

    They are zero for outputs ignored by the loss.
    """

    def derivatives(name: str, case: Case, epoch: int = 5, module: Any = None, **knobs: Any) -> dict[str, Tensor]:
        leaves = {"logits": case.student.logits, **case.student.features}
        leaves = {key: leaf.detach().clone().requires_grad_() for key, leaf in leaves.items()}
        total = loss(name, case._replace(student=output(leaves)), epoch, module, **knobs).sum()
        slopes = torch.autograd.grad(total, [*leaves.values()], allow_unused=True, materialize_grads=True)
        return dict(zip(leaves, slopes, strict=True))

    return derivatives


@pytest.fixture(scope="session")
def softmax() -> Callable[[np.ndarray], np.ndarray]:
    """Softmax over the last dimension, in numpy."""

    def probabilities(logits: np.ndarray) -> np.ndarray:
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    return probabilities


@pytest.fixture(scope="session")
def numpy_cross_entropy(softmax: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Cross-entropy of logits against labels, in numpy."""
    return lambda logits, labels: -np.log(np.take_along_axis(softmax(logits), labels[..., None], -1)[..., 0])


def output(leaves: Mapping[str, Tensor]) -> Output:
    """Return an Output of these tensors, "logits" and features."""
    return Output(leaves["logits"], {name: leaf for name, leaf in leaves.items() if name != "logits"})
