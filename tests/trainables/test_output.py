from __future__ import annotations

import pytest
import torch
from torch import nn

from trainables.output import Output, forward_with_layers, member_outputs, prepare_images


def test_prepare_scales_bytes_and_leaves_them_alone() -> None:
    images = torch.tensor([0, 51, 255], dtype=torch.uint8)
    assert torch.equal(prepare_images(images), torch.tensor([0.0, 0.2, 1.0]))
    assert images.tolist() == [0, 51, 255]


def test_an_output_has_no_features_unless_asked() -> None:
    assert dict(Output(torch.zeros(1, 2)).features) == {}


def test_only_an_ensemble_has_several_members() -> None:
    single = Output(torch.rand(4, 3), {"relu1": torch.rand(4, 5)})
    assert member_outputs(single) == [single]
    members = torch.rand(4, 2, 3, dtype=torch.bfloat16)
    first, second = member_outputs(single._replace(features={**single.features, "members": members}))
    assert torch.equal(first.logits, members[:, 0].float()) and torch.equal(second.logits, members[:, 1].float())
    assert first.features["relu1"] is single.features["relu1"]


@pytest.fixture
def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def test_features_carry_gradients(network: nn.Sequential) -> None:
    output = forward_with_layers(network, torch.ones(1, 3), ["1"])
    output.features["1"].sum().backward()
    assert network[0].weight.grad is not None
    assert network[2].weight.grad is None


@pytest.mark.parametrize("layers", [["0", "1"], ["0", "no_such_layer"]])
def test_no_hook_stays_behind(network: nn.Sequential, layers: list[str]) -> None:
    wrong = torch.ones(1, 99)
    with pytest.raises((RuntimeError, AttributeError)):
        forward_with_layers(network, wrong, layers)
    assert not any(module._forward_hooks for module in network.modules())
