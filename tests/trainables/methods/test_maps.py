"""Convolutions of one position, alone and in packs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from trainables.methods.maps import PointwiseConvolution

STUDENTS = 3


@pytest.mark.parametrize("bias", [True, False])
def test_the_values_are_those_of_a_convolution(bias: bool) -> None:
    torch.manual_seed(0)
    layer, convolution = PointwiseConvolution(4, 5, bias=bias), nn.Conv2d(4, 5, 1, bias=bias)
    convolution.load_state_dict(
        {name: value.reshape_as(convolution.get_parameter(name)) for name, value in layer.named_parameters()}
    )
    maps = torch.randn(6, 4, 3, 2)
    assert_close(layer(maps), convolution(maps))


class ProductShapes(TorchDispatchMode):
    """Collects the shapes of the factors of batched products."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[torch.Size, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.bmm.default:
            self.shapes.append(tuple(factor.shape for factor in args))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("bias", [True, False])
def test_a_pack_multiplies_once_per_student(bias: bool) -> None:
    # Once for each image, and a copy of the weights with it, took 70 times as long.
    layers = [PointwiseConvolution(4, 5, bias=bias) for _ in range(STUDENTS)]
    weights, _ = stack_module_state(layers)
    maps = torch.randn(STUDENTS, 6, 4, 1, 1, requires_grad=True)
    skeleton = copy.deepcopy(layers[0])

    def forward(weights: dict[str, Tensor], maps: Tensor) -> Tensor:
        return functional_call(skeleton, weights, (maps,))

    with ProductShapes() as products:
        output = vmap(forward)(weights, maps)
        output.sum().backward()
    assert len(products.shapes) == 3  # output and both gradients
    assert {factor[0] for shapes in products.shapes for factor in shapes} == {STUDENTS}
    assert_close(output, torch.stack([layer(own) for layer, own in zip(layers, maps, strict=True)]))
