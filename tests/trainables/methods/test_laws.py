"""Laws for every method. Exceptions are listed here with their reasons."""

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
from torch.nn import Identity
from torch.testing import assert_close

from trainables.data.dataset import UNLABELED
from trainables.declare import declaration_of
from trainables.knobs import knob_problems
from trainables.methods import METHODS
from trainables.module_contract import restored_problems
from trainables.output import Output

ALPHA = METHODS.keys() - {"none", "contrast"}  # the baseline itself, and a loss of teachers
WITH_TEACHER = ALPHA - {"smoothing"}  # its soft targets come from no teacher, see test_smoothing.py
# They compare the examples of a batch, or normalize over it, as the modules of three do.
BATCHWISE = {
    *(
        "boundary",
        "contrast",
        "contrastive",
        "dist",
        "multilevel",
        "probabilistic",
        "projected",
        "relational",
        "review",
    ),
    "similarity",
}
DRAWS = {"contrastive"}  # it draws random numbers in the order of the batch
AS_IN_NONE = {"routed": {"selector_weight": 1.0}}  # its selector is trained without a teacher, too
LABELS_OUT = {  # values at which alpha 1 excludes the labels
    "fitnets": {"decay": False},
    "routed": {"selector_weight": 0.0},
}
# An epoch of each stage; other methods ignore the epoch.
STAGES = {"boundary": (1, 5), "fitnets": (1, 5), "hinton": (5,), "review": (5,)}
# Modules that map a layer to itself, with which the teacher's term is minimal at the teacher's outputs.
IDENTITIES: dict[str, Any] = {
    **dict.fromkeys(("fitnets", "hint", "projected"), Identity()),
    "review": lambda *layers: layers,
    "variational": lambda maps: (maps, torch.ones_like(maps[0])),
}
WITH_MODULE = {name for name, method in METHODS.items() if declaration_of(method).module}
SECOND_STAGES = {("boundary", 5), ("fitnets", 5)}  # without hints
# Its noise, its margin, or a term that draws the true class to 1 keeps the gradient from vanishing there.
NOT_MINIMAL = {("contrastive", 5), ("boundary", 1), ("normalized", 5)}
EQUAL_TO_TEACHER = {"transformed": {"temperature": 1.0}}  # values at which the student's target is the teacher's output
COPIES_RIGHT_TEACHERS = {"refined"}  # only where the teacher is right
CONSTANT_WEIGHT = {"weighted"}  # its weights depend on the student's outputs but are constants in the gradient


def over_methods(names: Collection[str], without: Collection[tuple[str, int]] = ()) -> Any:
    cases = [(name, epoch) for name in sorted(names) for epoch in STAGES.get(name, (5,))]
    cases = [case for case in cases if case not in without]
    return pytest.mark.parametrize(("name", "epoch"), cases)


def test_every_method_with_stages_is_tested_in_each() -> None:
    with_progress = {name for name, method in METHODS.items() if "progress" in inspect.signature(method).parameters}
    assert with_progress == STAGES.keys()


@over_methods(METHODS)
def test_one_loss_per_example(name: str, epoch: int, random_case: Callable, knobs: Callable, loss: Callable) -> None:
    assert loss(name, random_case(name), epoch, **knobs(name)).shape == random_case(name).labels.shape


@over_methods(METHODS.keys() - BATCHWISE)
def test_examples_are_independent(
    name: str, epoch: int, random_case: Callable, knobs: Callable, loss: Callable
) -> None:
    case, values = random_case(name), knobs(name)
    parts = [loss(name, case.rows([i]), epoch, **values) for i in range(len(case.labels))]
    assert_close(loss(name, case, epoch, **values), torch.cat(parts))


@over_methods(METHODS)
def test_a_batch_of_one_example_is_finite(
    name: str, epoch: int, random_case: Callable, knobs: Callable, gradients: Callable
) -> None:
    slopes = gradients(name, random_case(name).rows([0]), epoch, **knobs(name))
    assert all(tensor.isfinite().all() for tensor in slopes.values())


@over_methods(METHODS)
@settings(max_examples=30)
@given(seed=st.integers(0, 99), high=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_finite_at_extremes(
    name: str,
    epoch: int,
    seed: int,
    high: float,
    random_case: Callable,
    knobs: Callable,
    loss: Callable,
    gradients: Callable,
) -> None:
    case = random_case(name, seed=seed, dtype=torch.float32, high=high)
    assert loss(name, case, epoch, **knobs(name, seed)).isfinite().all()
    assert all(tensor.isfinite().all() for tensor in gradients(name, case, epoch, **knobs(name, seed)).values())


@over_methods(METHODS)
def test_activations_may_be_bfloat16(
    name: str, epoch: int, random_case: Callable, knobs: Callable, loss: Callable
) -> None:
    case = random_case(name, dtype=torch.float32)
    halved = [
        output._replace(features={key: value.bfloat16() for key, value in output.features.items()})
        for output in case[:2]
    ]
    rounded = [
        output._replace(features={key: value.float() for key, value in output.features.items()}) for output in halved
    ]
    slopes = loss(name, case._replace(student=halved[0], teacher=halved[1]), epoch, **knobs(name))
    expected = loss(name, case._replace(student=rounded[0], teacher=rounded[1]), epoch, **knobs(name))
    assert slopes.dtype == torch.float32 and torch.equal(slopes, expected)


@over_methods(METHODS.keys() - DRAWS)
@settings(max_examples=20)
@given(seed=st.integers(0, 99), order=st.permutations(range(6)))
def test_permuting_the_batch_permutes_the_losses(
    name: str, epoch: int, seed: int, order: list[int], random_case: Callable, knobs: Callable, loss: Callable
) -> None:
    case, values = random_case(name, seed=seed), knobs(name, seed)
    assert_close(loss(name, case.rows(order), epoch, **values), loss(name, case, epoch, **values)[order])


def reordered(output: Output, order: list[int]) -> Output:
    features = dict(output.features)
    features["subclasses"] = features["subclasses"].unflatten(-1, (len(order), -1))[:, order].flatten(1)
    if "students" in features:
        features["students"] = features["students"][..., order]
    return Output(output.logits[:, order], features)


@over_methods(METHODS)
@settings(max_examples=20)
@given(seed=st.integers(0, 99), order=st.permutations(range(5)))
def test_permuting_the_classes_changes_nothing(
    name: str, epoch: int, seed: int, order: list[int], random_case: Callable, knobs: Callable, loss: Callable
) -> None:
    case, values = random_case(name, seed=seed), knobs(name, seed)
    labels = torch.tensor([order.index(label) for label in case.labels.tolist()])
    renamed = type(case)(reordered(case.student, order), reordered(case.teacher, order), labels)
    assert_close(loss(name, renamed, epoch, **values), loss(name, case, epoch, **values))


@over_methods(METHODS.keys() - CONSTANT_WEIGHT)
def test_gradient_is_the_derivative(
    name: str, epoch: int, random_case: Callable, knobs: Callable, loss: Callable, method_module: Callable
) -> None:
    case = random_case(name)
    used = method_module(name, case, **knobs(name))
    if used is not None:  # its first step may set constants
        loss(name, case, epoch, used, **knobs(name))
    layers = [*case.student.features]
    leaves = [tensor.clone().requires_grad_() for tensor in (case.student.logits, *case.student.features.values())]

    def loss_of(logits: Tensor, *features: Tensor) -> Tensor:
        student = Output(logits, dict(zip(layers, features, strict=True)))
        module = method_module(name, case, **knobs(name))
        if module is not None:
            module.load_state_dict(used.state_dict())
        return loss(name, case._replace(student=student), epoch, module, **knobs(name))

    assert gradcheck(loss_of, leaves, fast_mode=True)


@over_methods(METHODS)
def test_no_gradient_reaches_the_teacher(
    name: str, epoch: int, random_case: Callable, knobs: Callable, loss: Callable
) -> None:
    case = random_case(name)
    tensors = [tensor.requires_grad_() for tensor in (case.teacher.logits, *case.teacher.features.values())]
    for tensor in (case.student.logits, *case.student.features.values()):
        tensor.requires_grad_()
    loss(name, case, epoch, **knobs(name)).sum().backward()
    message = "a gradient reaches the teacher; detach its tensors"
    assert all(tensor.grad is None for tensor in tensors), message


@over_methods(sorted(name for name in WITH_TEACHER if not declaration_of(METHODS[name]).needs_labels))
def test_an_unlabeled_image_has_the_teachers_term_alone(
    name: str, epoch: int, random_case: Callable, knobs: Callable, loss: Callable, gradients: Callable
) -> None:
    values = knobs(name) | LABELS_OUT.get(name, {})
    case = random_case(name)
    unlabeled = case._replace(labels=torch.full_like(case.labels, UNLABELED))
    term = loss(name, case, epoch, **values | {"alpha": 1.0})
    weight = 1.0 if len(STAGES.get(name, ())) > 1 and epoch == STAGES[name][0] else values["alpha"]
    assert_close(loss(name, unlabeled, epoch, **values), weight * term)
    slopes = gradients(name, unlabeled, epoch, **values)
    expected = gradients(name, case, epoch, **values | {"alpha": 1.0})
    assert all(torch.allclose(slopes[leaf], weight * expected[leaf]) for leaf in expected)


@over_methods(WITH_TEACHER, without=NOT_MINIMAL)
def test_the_teachers_term_is_minimal_at_the_teachers_outputs(
    name: str, epoch: int, random_case: Callable, knobs: Callable, gradients: Callable
) -> None:
    values = knobs(name) | {"alpha": 1.0} | LABELS_OUT.get(name, {}) | EQUAL_TO_TEACHER.get(name, {})
    case = random_case(name).mirrored()
    if name in COPIES_RIGHT_TEACHERS:
        case = case._replace(labels=case.teacher.logits.argmax(-1))
    slopes = gradients(name, case, epoch, IDENTITIES.get(name), **values)
    assert all(tensor.abs().max() < 1e-9 for tensor in slopes.values())
    elsewhere = gradients(name, random_case(name), epoch, **values)
    assert any(tensor.abs().max() > 1e-4 for tensor in elsewhere.values())


@over_methods(ALPHA)
@pytest.mark.parametrize("scale", [3.0, 1e4])
@pytest.mark.parametrize("alpha", [0, 0.0])
def test_alpha_0_is_the_baseline_bit_for_bit(
    name: str,
    epoch: int,
    scale: float,
    alpha: float,
    random_case: Callable,
    knobs: Callable,
    loss: Callable,
    gradients: Callable,
) -> None:
    case = random_case(name, scale=scale, dtype=torch.float32)
    for seed in range(5):
        values = knobs(name, seed) | {"alpha": alpha} | AS_IN_NONE.get(name, {})
        assert torch.equal(loss(name, case, epoch, **values), loss("none", case))
        slopes, plain = gradients(name, case, epoch, **values), gradients("none", case)
        assert all(torch.equal(slopes[leaf], plain[leaf]) for leaf in plain)


@over_methods(WITH_MODULE, without=SECOND_STAGES)
def test_a_step_along_the_gradient_lowers_the_teachers_term(
    name: str, epoch: int, random_case: Callable, knobs: Callable, loss: Callable, method_module: Callable
) -> None:
    """The gradient reaches every parameter of a module, and descending it helps."""
    case, values = random_case(name, scale=1.0), knobs(name) | {"alpha": 1.0}
    trained, stepped = (method_module(name, case, **values) for _ in range(2))
    before = loss(name, case, epoch, trained, **values).mean()
    before.backward()
    with torch.no_grad():
        for parameter, stepping in zip(trained.parameters(), stepped.parameters(), strict=True):
            stepping.sub_(1e-4 * parameter.grad)
    assert loss(name, case, epoch, stepped, **values).mean() < before


@over_methods(WITH_MODULE)
def test_the_state_of_a_module_is_in_its_state_dict(
    name: str, epoch: int, random_case: Callable, knobs: Callable, loss: Callable, method_module: Callable
) -> None:
    case, values = random_case(name), knobs(name)
    used, fresh = (method_module(name, case, **values) for _ in range(2))
    first = loss(name, case, epoch, used, **values)
    assert list(restored_problems(name, lambda module: loss(name, case, epoch, module, **values), used, fresh)) == []
    assert not used.state_dict().keys() ^ fresh.state_dict().keys() and first.isfinite().all()


TEMPERED = sorted(name for name, method in METHODS.items() if "temperature" in inspect.signature(method).parameters)
TEMPERED = [name for name in TEMPERED if not name.startswith("contrast")]  # temperatures of similarities


@pytest.mark.parametrize("name", TEMPERED)
def test_float32_keeps_the_loss_at_the_largest_temperature(
    name: str, random_case: Callable, knobs: Callable, loss: Callable
) -> None:
    """The divergence falls with T²: beyond the largest temperature float32 rounds it away."""
    values = knobs(name) | {"temperature": 1000.0, "alpha": 1.0}
    cases = [random_case(name, seed=seed, scale=1.0) for seed in range(20)]
    exact = torch.cat([loss(name, case, 5, **values) for case in cases]).mean()
    rounded = torch.cat([loss(name, single_precision(case), 5, **values) for case in cases]).mean()
    assert rounded.item() == pytest.approx(exact.item(), rel=0.05)
    assert ("temperature", "found 1000.5, expected at most 1000.0") in knob_problems(
        METHODS[name], values | {"temperature": 1000.5}
    )


def single_precision(case: Any) -> Any:
    student, teacher = (
        Output(output.logits.float(), {name: features.float() for name, features in output.features.items()})
        for output in (case.student, case.teacher)
    )
    return case._replace(student=student, teacher=teacher)
