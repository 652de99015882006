"""Answers of a student and a teacher to a batch: logits and activations of everything that any method asks for."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from trainables.knobs import StudentLayer, TeacherLayer, marked_knobs, knob_schema
from trainables.methods import METHODS
from trainables.output import Output, Progress

BATCH, CLASSES, SUBCLASSES, STUDENTS, EPOCHS = 6, 5, 2, 3, 9
# per example: hint layers "first" and "second" of either network, and what a loop adds to them
TEACHER = {"first": (2, 2, 3), "second": (2, 2, 3), "subclasses": (CLASSES * SUBCLASSES,)}
STUDENT = {"first": (3, 2, 2), "second": (1, 3, 3), "regressed": (2, 2, 3), "subclasses": (CLASSES * SUBCLASSES,)}
BUNDLE = {"students": (STUDENTS, CLASSES), "selector": (STUDENTS,)}  # of a routed network


class Case(NamedTuple):
    """What a loss is a function of, but for its knobs; some of the rows of it are a case again."""

    student: Output
    teacher: Output
    labels: Tensor

    def rows(self, index: list[int]) -> Case:
        """Return the case of some of the examples, in this order."""
        student, teacher = (
            Output(each.logits[index], {name: features[index] for name, features in each.features.items()})
            for each in (self.student, self.teacher)
        )
        return Case(student, teacher, self.labels[index])

    def mirrored(self) -> Case:
        """Return the case of a student that answers as its teacher does, in every respect."""
        logits, features = self.teacher
        regressed = {"regressed": features["first"], "students": logits[:, None].repeat(1, STUDENTS, 1)}
        return self._replace(student=Output(logits, {**self.student.features, **features, **regressed}))


@pytest.fixture(scope="session")
def some() -> Callable[..., Case]:
    """Return a random case for a method: normally distributed or, of a fraction `high`, 1e4 and otherwise -1e4."""

    def made(
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
            for shapes in (STUDENT | (BUNDLE if name == "routed" else {}), TEACHER)
        )
        return Case(student, teacher, torch.randint(CLASSES, (BATCH,), generator=random))

    return made


@pytest.fixture(scope="session")
def knobs() -> Callable[..., dict[str, Any]]:
    """Return values for all knobs of a method, inside its bounds, whatever its types; those of seeds 0 and 1 differ."""

    def drawn(name: str, seed: int = 0) -> dict[str, Any]:
        fields = knob_schema(METHODS[name]).model_json_schema().get("properties", {})
        layers = marked_knobs(METHODS[name], StudentLayer) + marked_knobs(METHODS[name], TeacherLayer)
        return {
            knob: ("first", "second")[seed % 2] if knob in layers else draw(field, f"{knob}{seed}", seed)
            for knob, field in fields.items()
        }

    def draw(field: dict[str, Any], knob: str, seed: int) -> Any:
        if "enum" in field or field["type"] == "boolean":
            return field.get("enum", [True, False])[seed % 2]
        low = field.get("minimum", field.get("exclusiveMinimum"))
        if field["type"] == "integer":
            return low + 1 + seed % 3
        assert field["type"] == "number", f"say here how to draw a {field['type']}"
        return random.Random(knob).uniform(low + 0.1, field.get("maximum", low + 8.1) - 0.1)

    return drawn


@pytest.fixture(scope="session")
def loss() -> Callable[..., Tensor]:
    """Return a method's loss of a case in an epoch, the fifth of nine unless said otherwise."""

    def lost(name: str, case: Case, epoch: int = 5, **knobs: Any) -> Tensor:
        moment = (Progress(epoch, EPOCHS),) if "progress" in inspect.signature(METHODS[name]).parameters else ()
        return METHODS[name](*case, *moment, **knobs)

    return lost


@pytest.fixture(scope="session")
def gradients(loss: Callable[..., Tensor]) -> Callable[..., dict[str, Tensor]]:
    """Return the derivatives of the summed loss by what the student answers, zero where the loss ignores it."""

    def derived(name: str, case: Case, epoch: int = 5, **knobs: Any) -> dict[str, Tensor]:
        leaves = {"logits": case.student.logits, **case.student.features}
        leaves = {key: leaf.detach().clone().requires_grad_() for key, leaf in leaves.items()}
        total = loss(name, case._replace(student=output(leaves)), epoch, **knobs).sum()
        found = torch.autograd.grad(total, [*leaves.values()], allow_unused=True, materialize_grads=True)
        return dict(zip(leaves, found, strict=True))

    return derived


@pytest.fixture(scope="session")
def softmax() -> Callable[[np.ndarray], np.ndarray]:
    """Return the softmax over the last dimension, in numpy."""

    def probabilities(logits: np.ndarray) -> np.ndarray:
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    return probabilities


@pytest.fixture(scope="session")
def surprise(softmax: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Return the cross-entropy of logits against labels, in numpy."""
    return lambda logits, labels: -np.log(np.take_along_axis(softmax(logits), labels[..., None], -1)[..., 0])


def output(leaves: Mapping[str, Tensor]) -> Output:
    """Return the answer that these tensors are, "logits" and features."""
    return Output(leaves["logits"], {name: leaf for name, leaf in leaves.items() if name != "logits"})
