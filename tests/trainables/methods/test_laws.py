"""Laws that every method obeys, whatever it is called. Exceptions are named here, each with its reason."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck
from torch.testing import assert_close

from trainables.methods import METHODS
from trainables.output import Output

ALPHA = METHODS.keys() - {"none", "contrast"}  # the baseline itself, and a loss of teachers
TAUGHT = ALPHA - {"smoothing"}  # its soft targets come from nobody, see test_smoothing.py
BATCHWISE = {"contrast", "dist", "relational", "similarity"}  # they relate the examples of a batch to each other
AS_IN_NONE = {"routed": {"selector_weight": 1.0}}  # a routed network learns to choose without a teacher too
LABELS_OUT = {  # knobs without which the labels are learned at alpha 1 too
    "fitnets": {"decay": False},
    "routed": {"selector_weight": 0.0},
}
STAGES = {"fitnets": (1, 5)}  # an epoch of each stage; elsewhere the epoch plays no part


def over(names: Collection[str]) -> Any:
    cases = [(name, epoch) for name in sorted(names) for epoch in STAGES.get(name, (5,))]
    return pytest.mark.parametrize(("name", "epoch"), cases)


def test_every_method_that_asks_for_the_moment_is_tried_in_each_stage() -> None:
    asking = {name for name, method in METHODS.items() if "progress" in inspect.signature(method).parameters}
    assert asking == STAGES.keys()


@over(METHODS)
def test_one_loss_per_example(name: str, epoch: int, some: Callable, knobs: Callable, loss: Callable) -> None:
    assert loss(name, some(name), epoch, **knobs(name)).shape == some(name).labels.shape


@over(METHODS.keys() - BATCHWISE)
def test_each_example_counts_alone(name: str, epoch: int, some: Callable, knobs: Callable, loss: Callable) -> None:
    case, values = some(name), knobs(name)
    parts = [loss(name, case.rows([i]), epoch, **values) for i in range(len(case.labels))]
    assert_close(loss(name, case, epoch, **values), torch.cat(parts))


@over(METHODS)
def test_the_least_batch_is_one_example(
    name: str, epoch: int, some: Callable, knobs: Callable, gradients: Callable
) -> None:
    found = gradients(name, some(name).rows([0]), epoch, **knobs(name))
    assert all(each.isfinite().all() for each in found.values())


@over(METHODS)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 99), high=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_finite_at_extremes(
    name: str, epoch: int, seed: int, high: float, some: Callable, knobs: Callable, loss: Callable, gradients: Callable
) -> None:
    case = some(name, seed=seed, dtype=torch.float32, high=high)
    assert loss(name, case, epoch, **knobs(name, seed)).isfinite().all()
    assert all(each.isfinite().all() for each in gradients(name, case, epoch, **knobs(name, seed)).values())


@over(METHODS)
def test_activations_may_be_of_half_precision(
    name: str, epoch: int, some: Callable, knobs: Callable, loss: Callable
) -> None:
    case = some(name, dtype=torch.float32)
    halved = [
        output._replace(features={key: value.bfloat16() for key, value in output.features.items()})
        for output in case[:2]
    ]
    rounded = [
        output._replace(features={key: value.float() for key, value in output.features.items()}) for output in halved
    ]
    found = loss(name, case._replace(student=halved[0], teacher=halved[1]), epoch, **knobs(name))
    expected = loss(name, case._replace(student=rounded[0], teacher=rounded[1]), epoch, **knobs(name))
    assert found.dtype == torch.float32 and torch.equal(found, expected)


@over(METHODS)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99), order=st.permutations(range(6)))
def test_permuting_the_batch_permutes_the_losses(
    name: str, epoch: int, seed: int, order: list[int], some: Callable, knobs: Callable, loss: Callable
) -> None:
    case, values = some(name, seed=seed), knobs(name, seed)
    assert_close(loss(name, case.rows(order), epoch, **values), loss(name, case, epoch, **values)[order])


def reordered(output: Output, order: list[int]) -> Output:
    features = dict(output.features)
    features["subclasses"] = features["subclasses"].unflatten(-1, (len(order), -1))[:, order].flatten(1)
    if "students" in features:
        features["students"] = features["students"][..., order]
    return Output(output.logits[:, order], features)


@over(METHODS)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99), order=st.permutations(range(5)))
def test_permuting_the_classes_changes_nothing(
    name: str, epoch: int, seed: int, order: list[int], some: Callable, knobs: Callable, loss: Callable
) -> None:
    case, values = some(name, seed=seed), knobs(name, seed)
    labels = torch.tensor([order.index(label) for label in case.labels.tolist()])
    renamed = type(case)(reordered(case.student, order), reordered(case.teacher, order), labels)
    assert_close(loss(name, renamed, epoch, **values), loss(name, case, epoch, **values))


@over(METHODS)
def test_gradient_is_the_derivative(name: str, epoch: int, some: Callable, knobs: Callable, loss: Callable) -> None:
    case = some(name)
    layers = [*case.student.features]
    leaves = [each.clone().requires_grad_() for each in (case.student.logits, *case.student.features.values())]

    def of(logits: Tensor, *features: Tensor) -> Tensor:
        student = Output(logits, dict(zip(layers, features, strict=True)))
        return loss(name, case._replace(student=student), epoch, **knobs(name))

    assert gradcheck(of, leaves)


@over(METHODS)
def test_no_gradient_reaches_the_teacher(
    name: str, epoch: int, some: Callable, knobs: Callable, loss: Callable
) -> None:
    case = some(name)
    answers = [each.requires_grad_() for each in (case.teacher.logits, *case.teacher.features.values())]
    for each in (case.student.logits, *case.student.features.values()):
        each.requires_grad_()
    loss(name, case, epoch, **knobs(name)).sum().backward()
    assert all(each.grad is None for each in answers)


@over(TAUGHT)
def test_the_teachers_term_rests_where_the_student_is_the_teacher(
    name: str, epoch: int, some: Callable, knobs: Callable, gradients: Callable
) -> None:
    values = knobs(name) | {"alpha": 1.0} | LABELS_OUT.get(name, {})
    found = gradients(name, some(name).mirrored(), epoch, **values)
    assert all(each.abs().max() < 1e-9 for each in found.values())
    elsewhere = gradients(name, some(name), epoch, **values)
    assert any(each.abs().max() > 1e-4 for each in elsewhere.values())


@over(ALPHA)
@pytest.mark.parametrize("scale", [3.0, 1e4])
@pytest.mark.parametrize("alpha", [0, 0.0])
def test_alpha_0_is_the_baseline_bit_for_bit(
    name: str,
    epoch: int,
    scale: float,
    alpha: float,
    some: Callable,
    knobs: Callable,
    loss: Callable,
    gradients: Callable,
) -> None:
    case = some(name, scale=scale, dtype=torch.float32)
    for seed in range(5):
        values = knobs(name, seed) | {"alpha": alpha} | AS_IN_NONE.get(name, {})
        assert torch.equal(loss(name, case, epoch, **values), loss("none", case))
        found, plain = gradients(name, case, epoch, **values), gradients("none", case)
        assert all(torch.equal(found[leaf], plain[leaf]) for leaf in plain)
