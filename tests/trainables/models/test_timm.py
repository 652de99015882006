"""Networks of timm if it is installed, and the error if it is not."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from spaces.errors import UserError
from spaces.parts import Model
from trainables.cost import count_cost
from trainables.models import build_network
from trainables.models.timm import timm


def test_without_timm_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"extra: pip install 'distil-search\[timm\]'"):
        timm((3, 32, 32), 10, arch="resnetv2_50")


@pytest.mark.usefixtures("timm_installed")
def test_the_size_of_resnet50_v2() -> None:
    with torch.device("meta"):
        network = build_network(Model.model_validate({"name": "timm", "arch": "resnetv2_50"}), (3, 224, 224), 2)
    statistics = sum(2 * module.num_features for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    # The assignment's network is from Keras. Keras counts means and variances of batch norm, and has biases in the
    # first convolution, at the end of each block, and in the shortcuts of the four stages.
    biases = 64 + 3 * 256 + 4 * 512 + 6 * 1024 + 3 * 2048 + 256 + 512 + 1024 + 2048
    assert count_cost(network, (3, 224, 224)).parameters + statistics + biases == 23_568_898


@pytest.mark.parametrize("shape", [(1, 64, 64), (3, 96, 96)])
@pytest.mark.usefixtures("timm_installed")
def test_any_images_and_classes(shape: tuple[int, int, int]) -> None:
    network = build_network(Model.model_validate({"name": "timm", "arch": "resnetv2_50"}), shape, 3).eval()
    assert network(torch.rand(2, *shape)).shape == (2, 3)


@pytest.mark.usefixtures("timm_installed")
def test_a_transformer_is_built_for_the_size_of_the_images() -> None:
    with torch.device("meta"):
        network = build_network(Model.model_validate({"name": "timm", "arch": "deit_tiny_patch16_224"}), (3, 64, 64), 3)
        assert network(torch.rand(2, 3, 64, 64)).shape == (2, 3)


@pytest.mark.usefixtures("timm_installed")
def test_a_name_unknown_to_timm() -> None:
    with pytest.raises(UserError, match="timm has no resnetv2_5O; did you mean resnetv2_50"):
        timm((3, 32, 32), 10, arch="resnetv2_5O")


@pytest.mark.usefixtures("timm_installed")
def test_a_seed_determines_the_weights() -> None:
    model = Model.model_validate({"name": "timm", "arch": "resnetv2_50"})
    first, again, different = (build_network(model, (3, 32, 32), 3, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["stem.conv.weight"], different["stem.conv.weight"])
