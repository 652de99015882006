"""Laws that every method obeys, whatever it is called, and what its paper says of each."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck
from torch.func import vmap
from torch.nn.functional import cross_entropy, log_softmax
from torch.testing import assert_close

from trainables import methods
from trainables.knobs import schema
from trainables.methods import METHODS, formula
from trainables.output import Output

BATCH, CLASSES = 7, 5
DISTILLING = sorted(METHODS.keys() - {"none"})


def some(seed: int = 0, scale: float = 3.0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of a student and a teacher [batch, classes], and labels [batch]."""
    random = torch.Generator().manual_seed(seed)
    student, teacher = scale * torch.randn(2, BATCH, CLASSES, generator=random, dtype=dtype)
    return student, teacher, torch.randint(CLASSES, (BATCH,), generator=random)


def knobs(name: str, seed: int = 0) -> dict[str, Any]:
    """Values for all knobs of a method, inside the bounds its signature gives them."""
    chance, values = random.Random(seed), {}
    for knob, field in schema(METHODS[name]).model_json_schema().get("properties", {}).items():
        assert field["type"] == "number", f"{name}.{knob}: say here how to draw a {field['type']}"
        low = field.get("minimum", field.get("exclusiveMinimum", 0)) + 0.1
        values[knob] = chance.uniform(low, field.get("maximum", low + 8) - 0.1)
    return values


def loss(name: str, student: Tensor, teacher: Tensor, labels: Tensor, **values: Any) -> Tensor:
    return METHODS[name](Output(student), Output(teacher), labels, **values)


def gradient(name: str, student: Tensor, teacher: Tensor, labels: Tensor, **values: Any) -> Tensor:
    """The gradient of each example's loss with respect to its own logits."""
    student = student.clone().requires_grad_()
    loss(name, student, teacher, labels, **values).sum().backward()
    assert student.grad is not None
    return student.grad


each = pytest.mark.parametrize("name", sorted(METHODS))
distilling = pytest.mark.parametrize("name", DISTILLING)


@each
def test_one_loss_per_example(name: str) -> None:
    assert loss(name, *some(), **knobs(name)).shape == (BATCH,)


@each
def test_each_example_counts_alone(name: str) -> None:
    student, teacher, labels = some()
    whole = loss(name, student, teacher, labels, **knobs(name))
    parts = [loss(name, student[[i]], teacher[[i]], labels[[i]], **knobs(name)) for i in range(BATCH)]
    assert_close(whole, torch.cat(parts))


@each
@settings(deadline=None)
@given(seed=st.integers(0, 99), signs=st.integers(0, 2 ** (2 * BATCH * CLASSES) - 1))
def test_finite_at_extreme_logits(name: str, seed: int, signs: int) -> None:
    bits = [1e4 if signs >> i & 1 else -1e4 for i in range(2 * BATCH * CLASSES)]
    student, teacher = torch.tensor(bits).reshape(2, BATCH, CLASSES)
    labels = some(seed)[2]
    assert loss(name, student, teacher, labels, **knobs(name, seed)).isfinite().all()
    assert gradient(name, student, teacher, labels, **knobs(name, seed)).isfinite().all()


@each
@settings(deadline=None)
@given(seed=st.integers(0, 99), order=st.permutations(range(BATCH)))
def test_permuting_the_batch_permutes_the_losses(name: str, seed: int, order: list[int]) -> None:
    parts = some(seed)
    losses = loss(name, *parts, **knobs(name, seed))
    assert_close(loss(name, *(part[order] for part in parts), **knobs(name, seed)), losses[order])


@each
@settings(deadline=None)
@given(seed=st.integers(0, 99), order=st.permutations(range(CLASSES)))
def test_permuting_the_classes_changes_nothing(name: str, seed: int, order: list[int]) -> None:
    student, teacher, labels = some(seed)
    renamed = torch.tensor([order.index(label) for label in labels.tolist()])
    losses = loss(name, student[:, order], teacher[:, order], renamed, **knobs(name, seed))
    assert_close(losses, loss(name, student, teacher, labels, **knobs(name, seed)))


@each
def test_gradient_is_the_derivative(name: str) -> None:
    student, teacher, labels = some()
    assert gradcheck(lambda s: loss(name, s, teacher, labels, **knobs(name)), (student.requires_grad_(),))


@distilling
@pytest.mark.filterwarnings("ignore:There is a performance drop")  # kl_div has no batching rule
def test_vmap_over_knobs_is_a_loop(name: str) -> None:
    drawn = [knobs(name, seed) for seed in range(6)]
    student, teacher, labels = some()
    looped = torch.stack([loss(name, student, teacher, labels, **values) for values in drawn])
    columns = {knob: torch.tensor([values[knob] for values in drawn], dtype=torch.float64) for knob in drawn[0]}
    assert_close(vmap(lambda values: loss(name, student, teacher, labels, **values))(columns), looped)


@each
def test_no_gradient_reaches_the_teacher(name: str) -> None:
    student, teacher, labels = some()
    teacher.requires_grad_()
    loss(name, student.requires_grad_(), teacher, labels, **knobs(name)).sum().backward()
    assert teacher.grad is None


@distilling
def test_the_soft_term_rests_where_the_student_is_the_teacher(name: str) -> None:
    student, _, labels = some()
    values = knobs(name) | {"alpha": 1.0}
    assert_close(gradient(name, student, student.clone(), labels, **values), torch.zeros_like(student))


@distilling
@pytest.mark.parametrize("scale", [3.0, 1e4])
@pytest.mark.parametrize("alpha", [0, 0.0])
def test_alpha_0_is_cross_entropy_bit_for_bit(name: str, scale: float, alpha: float) -> None:
    student, teacher, labels = some(scale=scale, dtype=torch.float32)
    plain = student.clone().requires_grad_()
    hard = cross_entropy(plain, labels, reduction="none")
    hard.sum().backward()
    for seed in range(5):
        values = knobs(name, seed) | {"alpha": alpha}
        assert torch.equal(loss(name, student, teacher, labels, **values), hard)
        found = gradient(name, student, teacher, labels, **values)
        assert plain.grad is not None and torch.equal(found, plain.grad)


def test_none_is_cross_entropy_and_needs_no_teacher() -> None:
    student, _, labels = some()
    hard = cross_entropy(student, labels, reduction="none")
    assert torch.equal(METHODS["none"](Output(student), None, labels), hard)


ALIVE = [(name, knob) for name in DISTILLING for knob in knobs(name)]


@pytest.mark.parametrize(("name", "knob"), ALIVE)
def test_every_knob_is_alive(name: str, knob: str) -> None:
    values = knobs(name, 0)
    moved = values | {knob: knobs(name, 1)[knob]}
    assert not torch.allclose(gradient(name, *some(), **values), gradient(name, *some(), **moved))


@pytest.mark.parametrize(("name", "knob"), [(name, knob) for name, knob in ALIVE if knob != "alpha"])
def test_other_knobs_are_inert_at_alpha_0(name: str, knob: str) -> None:
    values = knobs(name, 0) | {"alpha": 0.0}
    moved = values | {knob: knobs(name, 1)[knob]}
    assert torch.equal(gradient(name, *some(), **values), gradient(name, *some(), **moved))


@each
def test_the_formula_is_one_line(name: str) -> None:
    text = formula(name)
    assert "\n" not in text and "CE(student, labels)" in text
    assert ("alpha" in text) == (name in DISTILLING)
    for knob in knobs(name):
        assert knob in text or knob[0].upper() in text  # T for the temperature


def test_a_method_without_docstring_goes_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(methods.METHODS, "mine", lambda student, teacher, labels: student.logits.sum(-1))
    assert formula("mine") == "mine"


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@settings(deadline=None)
@given(
    seed=st.integers(0, 999),
    alpha=st.floats(0, 1),
    temperature=st.floats(0.5, 64),
)
def test_hinton_in_numpy(seed: int, alpha: float, temperature: float) -> None:
    student, teacher, labels = (part.numpy() for part in some(seed))
    p, q = softmax(teacher / temperature), softmax(student / temperature)
    soft = (p * np.log(p / q)).sum(-1)
    hard = -np.log(softmax(student)[np.arange(BATCH), labels])
    expected = alpha * temperature**2 * soft + (1 - alpha) * hard
    found = loss("hinton", *some(seed), alpha=alpha, temperature=temperature)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)


def test_hinton_by_hand() -> None:
    # The teacher says (3/4, 1/4) at T = 2, the student (1/2, 1/2): KL = ln 2 - H(1/4), CE = ln 2.
    student, teacher = torch.zeros(1, 2), torch.tensor([[2 * math.log(3), 0.0]])
    found = loss("hinton", student, teacher, torch.tensor([0]), alpha=0.25, temperature=2)
    assert found.item() == pytest.approx(0.25 * 4 * 0.1308120 + 0.75 * 0.6931472, abs=1e-6)


@settings(deadline=None)
@given(seed=st.integers(0, 99))
def test_hinton_matches_logits_at_high_temperature(seed: int) -> None:
    # Hinton et al. 2015, sec. 2.1, eq. 4: for zero-mean logits the gradient tends to (s - t) / classes.
    student, teacher, labels = some(seed)
    student, teacher = (logits - logits.mean(-1, keepdim=True) for logits in (student, teacher))
    found = gradient("hinton", student, teacher, labels, alpha=1.0, temperature=1e5)
    assert_close(found, (student - teacher) / CLASSES, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 4.0, 64.0])
def test_hinton_with_cross_entropy_differs_by_the_entropy_of_the_teacher(temperature: float) -> None:
    student, teacher, labels = some()
    student.requires_grad_()
    targets = (teacher / temperature).softmax(-1)
    crossed = temperature**2 * cross_entropy(student / temperature, targets, reduction="none")
    entropy = -(targets * log_softmax(teacher / temperature, dim=-1)).sum(-1)
    values = {"alpha": 1.0, "temperature": temperature}
    assert_close(crossed - temperature**2 * entropy, loss("hinton", student, teacher, labels, **values))
    (expected,) = torch.autograd.grad(crossed.sum(), student)
    assert_close(gradient("hinton", student.detach(), teacher, labels, **values), expected)
