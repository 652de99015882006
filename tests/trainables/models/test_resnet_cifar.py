"""Residual networks for small images: published sizes, and the function of their parts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from spaces.parts import Model
from trainables.cost import count_cost
from trainables.models import build_network

CIFAR = (3, 32, 32)


def resnet(classes: int = 10, shape: tuple[int, int, int] = CIFAR, **knobs: Any) -> nn.Module:
    return build_network(Model.model_validate({"name": "resnet_cifar", **knobs}), shape, classes).eval()


@pytest.mark.parametrize(
    ("classes", "knobs", "parameters"),
    [
        # He et al. 2016, table 6, in millions: 0.27, 0.46, 0.66, 0.85, 1.7, with shortcuts without weights
        (10, {"depth": 20, "shortcut": "pad"}, 269_722),
        (10, {"depth": 32, "shortcut": "pad"}, 464_154),
        (10, {"depth": 44, "shortcut": "pad"}, 658_586),
        (10, {"depth": 56, "shortcut": "pad"}, 853_018),
        (10, {"depth": 110, "shortcut": "pad"}, 1_727_962),
        # in published tables of CIFAR-100
        (10, {"depth": 20}, 272_474),
        (100, {"depth": 20}, 278_324),
        (100, {"depth": 56}, 861_620),
        (100, {"depth": 8, "width": 4}, 1_233_540),
        (100, {"depth": 32, "width": 4}, 7_433_860),
        # He et al. 2016, arXiv:1603.05027, table 1: 1.7 million
        (10, {"depth": 164, "block": "bottleneck", "preactivation": True}, 1_703_258),
    ],
    ids=str,
)
def test_published_sizes(classes: int, knobs: dict[str, Any], parameters: int) -> None:
    with torch.device("meta"):
        assert count_cost(resnet(classes, **knobs), CIFAR).parameters == parameters


def test_multiplications_of_resnet20() -> None:
    stem, stages = 32**2 * 9 * 3 * 16, 3 * [6 * 32**2 * 9 * 16**2]  # each stage has half the side, twice the channels
    stages[1] -= 16**2 * 9 * 32 * 16  # the first convolution of a stage has half the channels before it
    stages[2] -= 8**2 * 9 * 64 * 32
    assert count_cost(resnet(shortcut="pad"), CIFAR).macs == stem + sum(stages) + 640


@pytest.mark.parametrize("depth", [1, 2, 21, 163])
def test_an_impossible_depth(depth: int) -> None:
    with pytest.raises(ValueError, match=rf"depth: found {depth}, expected 6n \+ 2 with basic blocks, as in 20"):
        resnet(depth=depth)
    with pytest.raises(ValueError, match=r"9n \+ 2 with bottleneck blocks, as in 29"):
        resnet(depth=22, block="bottleneck")


@pytest.mark.parametrize("preactivation", [False, True])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("shortcut", ["conv", "pad"])
def test_a_block_with_a_branch_of_zeros_is_its_shortcut(block: str, shortcut: str, preactivation: bool) -> None:
    model = resnet(depth=20 if block == "basic" else 29, block=block, shortcut=shortcut, preactivation=preactivation)
    (_, first), (_, second) = list(model.get_submodule("layer2").named_children())[:2]
    planes = torch.rand(2, 16 if block == "basic" else 64, 8, 8)
    for block_module in (first, second):
        last = block_module.branch[-1]
        nn.init.zeros_(last.weight)
    after = first(planes)
    assert after.shape == (2, 32 if block == "basic" else 128, 4, 4)
    if shortcut == "pad":
        assert torch.equal(after[:, : planes.shape[1]], planes[:, :, ::2, ::2])
        assert not after[:, planes.shape[1] :].any()
    assert torch.equal(second(after), after)  # either already positive after a ReLU, or nothing is applied


def test_a_layer_is_negative_only_with_preactivation() -> None:
    images = torch.rand(2, *CIFAR)
    for preactivation in (False, True):
        model = resnet(depth=29, block="bottleneck", preactivation=preactivation)
        planes = model.layer1(model.start(model.conv(images)))
        assert (planes.min() < 0) == preactivation
