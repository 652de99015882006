"""Projected, variational and boundary hints in numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainables.methods.boundary import boundary, connector
from trainables.methods.hinton import hinton
from trainables.methods.projected import projected
from trainables.methods.variational import ChannelGaussian, variational
from trainables.observed_shapes import ObservedShapes
from trainables.output import Output, Progress

LAYERS = {"guided": "own", "hint": "hint"}


def outputs(own: Tensor, hint: Tensor) -> tuple[Output, Output, Tensor]:
    source = torch.Generator().manual_seed(7)
    student, teacher = (torch.randn(len(own), 5, generator=source, dtype=torch.float64) for _ in range(2))
    return Output(student, {"own": own}), Output(teacher, {"hint": hint}), torch.arange(len(own)) % 5


def maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shapes_of(own: Tensor, hint: Tensor) -> ObservedShapes:
    return ObservedShapes({"own": own.shape[1:]}, {"hint": hint.shape[1:]}, frozenset(), torch.zeros(1))


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 2, 3)])
def test_projected_in_numpy(shape: tuple[int, ...], numpy_cross_entropy: Callable) -> None:
    own, hint = maps(*shape), maps(*shape, seed=1)
    case = outputs(own, hint)
    losses = projected(*case, nn.Identity(), alpha=0.3, beta=2.0, power=3.0, **LAYERS)
    axes = tuple(axis for axis in range(len(shape)) if axis != 1)
    normalized = [
        (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-4)
        for x in (own.numpy(), hint.numpy())
    ]
    distance = np.log((np.abs(normalized[0] - normalized[1]) ** 3).sum())
    hard = numpy_cross_entropy(case[0].logits.numpy(), case[2].numpy())
    np.testing.assert_allclose(losses, 0.3 * 2 * distance + 0.7 * hard)


def test_variational_in_numpy(numpy_cross_entropy: Callable) -> None:
    own, hint = maps(6, 3, 4, 4), maps(6, 2, 2, 2, seed=1)
    torch.manual_seed(0)
    module = ChannelGaussian(shapes_of(own, hint), guided="own", hint="hint", variance=5.0).double()
    np.testing.assert_allclose(module(own)[1].detach(), 5.0, rtol=1e-6)
    with torch.no_grad():
        module.scale += torch.tensor([0.5, -2.0])[:, None, None]
    case = outputs(own, hint)
    losses = variational(*case, module, alpha=0.3, beta=2.0, variance=5.0, **LAYERS)
    mean = own.numpy().reshape(6, 3, 2, 2, 2, 2).mean((3, 5))  # averaged to 2 × 2
    weights = [layer.weight.detach().numpy() for layer in module.mean if isinstance(layer, nn.Linear)]
    for number, weight in enumerate(weights):
        mean = np.einsum("bchw,oc->bohw", np.maximum(mean, 0) if number else mean, weight)
    variance = np.log1p(np.exp(module.scale.detach().numpy())) + 1e-5
    likelihood = 0.5 * ((hint.numpy() - mean) ** 2 / variance + np.log(variance)).mean((1, 2, 3))
    hard = numpy_cross_entropy(case[0].logits.numpy(), case[2].numpy())
    np.testing.assert_allclose(losses.detach(), 0.3 * 2 * likelihood + 0.7 * hard)


@pytest.mark.parametrize("variance", [1e-6, 0.1, 80.0])
def test_the_initial_variance(variance: float) -> None:
    module = ChannelGaussian(shapes_of(maps(1, 3), maps(1, 2)), guided="own", hint="hint", variance=variance)
    np.testing.assert_allclose(module(torch.zeros(1, 3, 1, 1))[1].detach(), max(variance, 2e-5), rtol=1e-3)


def test_boundary_in_numpy() -> None:
    own, hint = maps(6, 4), maps(6, 4, seed=1)
    case = outputs(own, hint)
    knobs = {"alpha": 0.3, "temperature": 4.0, "hint_epochs": 2, **LAYERS}
    losses = boundary(*case, Progress(2, 9), nn.Identity(), margin=0.5, **knobs)
    s, active = own.numpy(), hint.numpy() > 0
    expected = np.where(active, np.maximum(0.5 - s, 0) ** 2, np.maximum(0.5 + s, 0) ** 2).sum(1)
    np.testing.assert_allclose(losses, expected)
    second = boundary(*case, Progress(3, 9), nn.Identity(), margin=0.5, **knobs)
    assert torch.equal(second, hinton(*case, alpha=0.3, temperature=4.0))


def test_boundary_by_hand() -> None:
    case = outputs(torch.tensor([[0.25, -2.0, 3.0]]).double(), torch.tensor([[1.0, 1.0, -1.0]]).double())
    knobs = {"alpha": 1.0, "temperature": 4.0, "hint_epochs": 1, **LAYERS}
    assert boundary(*case, Progress(1, 2), nn.Identity(), **knobs).item() == 0.75**2 + 3**2 + 4**2


def test_a_relu_of_the_teacher_leaves_its_boundary() -> None:
    own, hint = maps(6, 4), maps(6, 4, seed=1)
    knobs = {"alpha": 1.0, "temperature": 4.0, "hint_epochs": 1, **LAYERS}
    before, after = (
        boundary(*outputs(own, layer), Progress(1, 2), nn.Identity(), **knobs) for layer in (hint, hint.relu())
    )
    assert torch.equal(before, after)


def test_a_connector_normalizes_its_outputs() -> None:
    own, hint = maps(50, 3), maps(50, 4)
    module = connector(shapes_of(own, hint), guided="own", hint="hint", regressor="linear").double()
    np.testing.assert_allclose(module(own).detach().numpy().mean(0), np.zeros(4), atol=1e-9)
