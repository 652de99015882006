"""Plain networks of the assistants paper, layer by layer, and the network of three convolutions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from spaces.parts import Model
from trainables.cost import count_cost
from trainables.models import build_network

CIFAR = (3, 32, 32)
# layers of the networks for CIFAR-10 in Mirzadeh et al. 2020, appendix
PAPER_NETWORKS = {
    2: "C16 P C16 P FC10",
    4: "C16 C16 P C32 C32 P FC10",
    6: "C16 C16 P C32 C32 P C64 C64 P FC10",
    8: "C16 C16 P C32 C32 P C64 C64 P C128 C128 P FC64 FC10",
    10: "C32 C32 P C64 C64 P C128 C128 P C256 C256 C256 C256 P FC128 FC10",
}


def meta_network(shape: tuple[int, int, int] = CIFAR, classes: int = 10, **tree: Any) -> nn.Module:
    with torch.device("meta"):
        return build_network(Model.model_validate({"name": "plain_cnn", **tree}), shape, classes).eval()


def layer_string(model: nn.Module) -> str:
    """Return the layers in the notation of the paper."""
    letters = {
        nn.Conv2d: lambda layer: f"C{layer.out_channels}",
        nn.MaxPool2d: lambda _: "P",
        nn.Linear: lambda layer: f"FC{layer.out_features}",
    }
    return " ".join(letters[type(layer)](layer) for layer in model if type(layer) in letters)


@pytest.mark.parametrize("size", PAPER_NETWORKS)
def test_the_networks_of_the_paper(size: int) -> None:
    assert layer_string(meta_network(size=size)) == PAPER_NETWORKS[size]


def test_networks_for_100_classes_are_twice_as_wide() -> None:
    assert layer_string(meta_network(size=4, width=2, classes=100)) == "C32 C32 P C64 C64 P FC100"


def test_each_convolution_has_batch_norm_and_relu() -> None:
    kinds = [type(layer) for layer in meta_network(size=10)]
    for i, kind in enumerate(kinds):
        if kind is nn.Conv2d:
            assert kinds[i + 1 : i + 3] == [nn.BatchNorm2d, nn.ReLU]


def test_the_size_of_the_smallest() -> None:
    # Two convolutions with biases and batch norm, and a linear layer on 8x8 pixels.
    expected = (9 * 3 * 16 + 16 + 32) + (9 * 16 * 16 + 16 + 32) + (16 * 64 * 10 + 10)
    assert count_cost(meta_network(size=2), CIFAR).parameters == expected


@pytest.mark.parametrize(("size", "side"), [(2, 4), (8, 16)])
def test_too_few_pixels(size: int, side: int) -> None:
    meta_network((1, side, side), size=size)
    with pytest.raises(ValueError, match=f"at least {side} pixels both ways"):
        meta_network((1, side - 1, 28), size=size)


def test_three_layers() -> None:
    assert layer_string(meta_network((1, 28, 28), name="cnn3")) == "C32 P C64 P C128 P FC10"
    assert layer_string(meta_network((1, 28, 28), name="cnn3", width=8)) == "C8 P C16 P C32 P FC10"


@pytest.mark.parametrize("tree", [{"name": "cnn3"}, {"name": "plain_cnn"}, {"name": "resnet_cifar"}], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_first_layer_gets_normalized_images(tree: dict[str, Any], channels: int) -> None:
    shape = (channels, 8, 8)
    models = (Model.model_validate(tree | {"normalize": statistics}) for statistics in ("none", "cifar"))
    plain, normalized = (build_network(model, shape, 10).eval() for model in models)
    images = torch.rand(2, *shape)
    colors = (0.507, 0.487, 0.441), (0.267, 0.256, 0.276)
    mean, std = (torch.tensor(rgb if channels == 3 else [sum(rgb) / 3])[:, None, None] for rgb in colors)
    torch.testing.assert_close(normalized(images), plain((images - mean) / std))
    assert not torch.equal(normalized(images), plain(images))


def test_an_exported_network_contains_its_normalization() -> None:
    tree = {"name": "resnet_cifar", "depth": 8, "preactivation": True, "shortcut": "pad", "normalize": "cifar"}
    model, images = build_network(Model.model_validate(tree), CIFAR, 10).eval(), torch.rand(3, *CIFAR)
    torch.testing.assert_close(torch.export.export(model, (images,)).module()(images), model(images))
