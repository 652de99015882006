"""Losses against the papers' formulas, written once more in numpy.

The teacher's term alone: alpha is 1. Arguments of a formula are logits z of the student and t of the teacher
[batch, classes], labels y [batch], or activations s of the student and h of the teacher.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from trainables.knobs import knob_schema
from trainables.methods import METHODS
from trainables.output import Output

LAYERS = {"guided": "first", "hint": "second"}


def softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    return (p * np.log(p / q)).sum(-1)


def standardized(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)


def transformed(z: np.ndarray, t: np.ndarray, y: np.ndarray, *, T: float, weighted: bool) -> np.ndarray:
    power_sum = (softmax(t) ** (1 / T)).sum(-1)
    power_transform = softmax(t) ** (1 / T) / power_sum[:, None]
    return (power_sum if weighted else 1) * divergence(power_transform, softmax(z))


def normalized(z: np.ndarray, t: np.ndarray, y: np.ndarray, *, T: float, gamma: float) -> np.ndarray:
    losses = []
    for student, teacher, label in zip(z, t, y, strict=True):
        q, p = (np.delete(softmax(x / T), label) for x in (student, teacher))
        others = -(p / p.sum() * np.log(q / q.sum())).sum()
        losses.append(-softmax(teacher)[label] * np.log(softmax(student)[label]) + gamma * T**2 * others)
    return np.array(losses)


def alpha_beta(z: np.ndarray, t: np.ndarray, y: np.ndarray, *, T: float, a: float, b: float) -> np.ndarray:
    """Eq. 5 of Cichocki, Cruces & Amari (2011), with their limits."""
    p, q = softmax(t / T), softmax(z / T)
    if a == b == 0:
        terms = (np.log(p) - np.log(q)) ** 2 / 2
    elif b == 0:
        terms = (p**a * np.log(p**a / q**a) - p**a + q**a) / a**2
    elif a == 0:
        terms = (q**b * np.log(q**b / p**b) - q**b + p**b) / b**2
    else:
        terms = -(p**a * q**b - a / (a + b) * p ** (a + b) - b / (a + b) * q ** (a + b)) / (a * b)
    return T**2 * terms.sum(-1)


def multilevel(z: np.ndarray, t: np.ndarray, y: np.ndarray, *, Ts: list[float], b: float, c: float) -> np.ndarray:
    losses = np.zeros(len(z))
    for T in Ts:
        p, q = softmax(t / T), softmax(z / T)
        batch = [sum((p[i] @ p[j] - q[i] @ q[j]) ** 2 for j in range(len(p))) for i in range(len(p))]
        classes = ((p.T @ p - q.T @ q) ** 2).sum() / p.shape[1]
        losses += (T**2 * divergence(p, q) + b * np.array(batch) + c * classes) / len(Ts)
    return losses


def refined(z: np.ndarray, t: np.ndarray, y: np.ndarray, *, T: float, beta: float, C: float) -> np.ndarray:
    losses = []
    for student, teacher, label in zip(z, t, y, strict=True):
        student_confidence, teacher_confidence = softmax(student / C)[label], softmax(teacher / C).max()
        q, p = (np.array([x, 1 - x]) for x in (student_confidence, teacher_confidence))
        below = teacher < teacher[label]
        rest = divergence(*(softmax(x[below] / T) for x in (teacher, student))) if below.any() else 0
        losses.append(C**2 * divergence(p, q) + beta * T**2 * rest)
    return np.array(losses)


def weighted(z: np.ndarray, t: np.ndarray, y: np.ndarray, *, T: float) -> np.ndarray:
    student_loss, teacher_loss = (-np.log(softmax(x)[np.arange(len(y)), y]) for x in (z, t))
    return (1 - np.exp(-student_loss / teacher_loss)) * T**2 * divergence(softmax(t / T), softmax(z / T))


def probabilistic(s: np.ndarray, h: np.ndarray, *, gamma: float) -> np.ndarray:
    rows = []
    for points in (h.reshape(len(h), -1), s.reshape(len(s), -1)):
        lengths = np.sqrt((points**2).sum(1))
        kernel = (points @ points.T / np.outer(lengths, lengths) + 1) / 2
        rows.append(kernel / kernel.sum(1, keepdims=True))
    return gamma * divergence(*rows) / len(s)


def neuron_selectivity(s: np.ndarray, h: np.ndarray, *, beta: float) -> np.ndarray:
    def kernel(first: np.ndarray, second: np.ndarray) -> float:
        return np.mean([[(x @ y) ** 2 for y in second] for x in first])

    losses = []
    for channels in zip(s, h, strict=True):
        f, g = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (x.reshape(len(x), -1) for x in channels))
        losses.append(beta * (kernel(g, g) + kernel(f, f) - 2 * kernel(f, g)))
    return np.array(losses)


Formula = Callable[..., np.ndarray]
# Method, its knobs, the formula, its arguments.
LOGITS: list[tuple[str, dict[str, Any], Formula, dict[str, Any]]] = [
    ("mse", {}, lambda z, t, y: ((z - t) ** 2).mean(-1), {}),
    ("transformed", {"temperature": 4.0, "weighted": False}, transformed, {"T": 4.0, "weighted": False}),
    ("transformed", {"temperature": 10.0}, transformed, {"T": 10.0, "weighted": True}),
    ("normalized", {}, normalized, {"T": 1.0, "gamma": 1.5}),
    ("normalized", {"temperature": 3.0, "gamma": 0.5}, normalized, {"T": 3.0, "gamma": 0.5}),
    *(
        (
            "divergence",
            {"temperature": T, "teacher_power": a, "student_power": b},
            alpha_beta,
            {"T": T, "a": a, "b": b},
        )
        for T, a, b in [
            *((4.0, 1.0, 0.0), (4.0, 0.0, 1.0), (2.0, 0.5, 0.5), (1.0, 0.8, 0.3), (1.0, 2.0, 1.5)),
            *((1.0, 0.0, 0.0), (1.0, 0.4, 0.0), (20.0, 0.0, 0.7), (40.0, 0.1, 0.2)),
        ]
    ),
    ("multilevel", {}, multilevel, {"Ts": [2, 3, 4, 5, 6], "b": 1, "c": 1}),
    (
        "multilevel",
        {"temperatures": [1.0, 8.0], "beta": 0.5, "gamma": 3.0},
        multilevel,
        {"Ts": [1, 8], "b": 0.5, "c": 3.0},
    ),
    ("refined", {"temperature": 4.0}, refined, {"T": 4.0, "beta": 8.0, "C": 1.0}),
    ("refined", {"temperature": 2.0, "beta": 1.0, "confidence_temperature": 3.0}, refined, {"T": 2, "beta": 1, "C": 3}),
    ("weighted", {}, weighted, {"T": 2.0}),
    ("weighted", {"temperature": 4.0}, weighted, {"T": 4.0}),
]
ACTIVATIONS: list[tuple[str, dict[str, Any], Formula, dict[str, Any]]] = [
    ("probabilistic", {}, probabilistic, {"gamma": 30000.0}),
    ("neuron_selectivity", {}, neuron_selectivity, {"beta": 50.0}),
]


@pytest.mark.parametrize(("name", "knobs", "formula", "arguments"), LOGITS, ids=[name for name, *_ in LOGITS])
@pytest.mark.parametrize("scale", [3.0, 0.1])
def test_logits(
    name: str, knobs: dict[str, Any], formula: Formula, arguments: dict[str, Any], scale: float, random_case: Callable
) -> None:
    case = random_case(scale=scale)
    expected = formula(case.student.logits.numpy(), case.teacher.logits.numpy(), case.labels.numpy(), **arguments)
    np.testing.assert_allclose(METHODS[name](*case, alpha=1.0, **knobs), expected, rtol=2e-6)


@pytest.mark.parametrize(("name", "knobs", "formula", "arguments"), ACTIVATIONS, ids=[name for name, *_ in ACTIVATIONS])
def test_activations(
    name: str, knobs: dict[str, Any], formula: Formula, arguments: dict[str, Any], random_case: Callable
) -> None:
    case = random_case()
    guided = torch.randn(6, 3, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)  # the hint's grid
    student = case.student._replace(features={"first": guided})
    expected = formula(student.features["first"].numpy(), case.teacher.features["second"].numpy(), **arguments)
    losses = METHODS[name](student, case.teacher, case.labels, alpha=1.0, **LAYERS, **knobs)
    np.testing.assert_allclose(losses, expected, rtol=2e-5)


STANDARDIZABLE = sorted(name for name in METHODS if "standardize" in knob_schema(METHODS[name]).model_fields)
RAW_PARTS = {"multilevel": {"beta": 0.0, "gamma": 0.0}}  # its correlations are those of the logits


@pytest.mark.parametrize("name", STANDARDIZABLE)
def test_standardize_changes_logits_only(name: str, random_case: Callable, knobs: Callable) -> None:
    case, values = random_case(), knobs(name) | RAW_PARTS.get(name, {}) | {"alpha": 1.0}
    changed = [Output(output.logits.new_tensor(standardized(output.logits.numpy()))) for output in case[:2]]
    losses = METHODS[name](*case, **values | {"standardize": True})
    if name == "weighted":  # its weights are those of the logits
        weights = METHODS[name](*case, **values) / METHODS["hinton"](*case, **values)
        assert_close(losses, weights * METHODS["hinton"](*case, **values | {"standardize": True}))
    else:
        assert_close(losses, METHODS[name](*changed, case.labels, **values), rtol=1e-6, atol=1e-6)


def test_every_logit_loss_can_standardize() -> None:
    assert {"decoupled", "dist", "hinton", "multilevel", "transformed"} <= set(STANDARDIZABLE)


def test_the_weights_of_examples_are_constants_in_the_gradient(random_case: Callable, gradients: Callable) -> None:
    case, values = random_case(), {"alpha": 1.0, "temperature": 4.0}
    weights = METHODS["weighted"](*case, **values) / METHODS["hinton"](*case, **values)
    expected = weights[:, None] * gradients("hinton", case, **values)["logits"]
    assert_close(gradients("weighted", case, **values)["logits"], expected)


def test_refined_is_decoupled_where_the_teacher_is_right(random_case: Callable) -> None:
    case, values = random_case(), {"alpha": 1.0, "temperature": 4.0, "beta": 2.0}
    case = case._replace(labels=case.teacher.logits.argmax(-1))
    assert_close(METHODS["refined"](*case, **values, confidence_temperature=4.0), METHODS["decoupled"](*case, **values))


def test_refined_learns_nothing_of_classes_above_the_true_one(random_case: Callable, gradients: Callable) -> None:
    case = random_case()
    case = case._replace(labels=case.teacher.logits.argmin(-1))  # all classes are
    values = {"alpha": 1.0, "temperature": 4.0, "confidence_temperature": 2.0}
    assert_close(METHODS["refined"](*case, beta=8.0, **values), METHODS["refined"](*case, beta=0.0, **values))


def test_neuron_selectivity_averages_the_larger_grid(random_case: Callable) -> None:
    case = random_case()
    guided, hint = torch.randn(2, 6, 3, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    teacher = case.teacher._replace(features={"second": hint})
    finer = guided.repeat_interleave(3, -1).repeat_interleave(2, -2)
    losses = [
        METHODS["neuron_selectivity"](student, teacher, case.labels, alpha=1.0, **LAYERS)
        for student in (case.student._replace(features={"first": layer}) for layer in (guided, finer))
    ]
    assert_close(*losses)


def test_neuron_selectivity_needs_channels(random_case: Callable) -> None:
    case = random_case()
    student = case.student._replace(features={"relu1": case.student.logits})
    message = r"method neuron_selectivity: relu1 has the shape \[5\]; expected \[channels, height, width\]"
    with pytest.raises(ValueError, match=message):
        METHODS["neuron_selectivity"](student, case.teacher, case.labels, alpha=0.5, guided="relu1", hint="first")
