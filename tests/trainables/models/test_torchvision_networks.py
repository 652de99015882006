"""torchvision's networks: sizes and outputs, for any images and classes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from spaces.parts import Model
from trainables.cost import count_cost
from trainables.models import MODELS, build_network
from trainables.models.torchvision_import import torchvision

PHOTO, CIFAR = (3, 224, 224), (3, 32, 32)
TORCHVISION_NAMES = {  # our knobs and torchvision's name
    "resnet18": ({}, "resnet18"),
    "resnet34": ({}, "resnet34"),
    "resnet50": ({}, "resnet50"),
    "mobilenet_v2": ({}, "mobilenet_v2"),
    "densenet121": ({}, "densenet121"),
    "googlenet": ({}, "googlenet"),
    "vgg16": ({}, "vgg16"),
    "vgg16 with batch norm": ({"batch_norm": True}, "vgg16_bn"),
    "shufflenet_v2": ({}, "shufflenet_v2_x1_0"),
    "shufflenet_v2 0.5": ({"width": "0.5"}, "shufflenet_v2_x0_5"),
    "squeezenet": ({}, "squeezenet1_0"),
    "squeezenet 1.1": ({"version": "1.1"}, "squeezenet1_1"),
}
WITHOUT_MEMORY = {"vgg16", "vgg16 with batch norm"}  # half a gigabyte each: built on the meta device only

every_network = pytest.mark.parametrize("name", TORCHVISION_NAMES)


def our_name(name: str) -> str:
    return name.partition(" ")[0]


def our_network(name: str, shape: tuple[int, int, int], classes: int, **knobs: Any) -> nn.Module:
    tree = {"name": our_name(name), **TORCHVISION_NAMES[name][0], **knobs}
    return build_network(Model.model_validate(tree), shape, classes).eval()


def torchvision_network(name: str, classes: int = 1000) -> nn.Module:
    quiet = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    return torchvision.models.get_model(TORCHVISION_NAMES[name][1], weights=None, num_classes=classes, **quiet).eval()


def test_all_torchvision_networks_are_tested() -> None:
    assert {our_name(name) for name in TORCHVISION_NAMES} == {
        n for n in MODELS if MODELS[n].__module__.endswith(".torchvision_networks")
    }


@every_network
def test_with_1000_classes_they_are_the_published_networks(name: str) -> None:
    with torch.device("meta"):
        ours, theirs = our_network(name, PHOTO, 1000), torchvision_network(name)
        assert [*ours.state_dict()] == [*theirs.state_dict()]
        assert count_cost(ours, PHOTO) == count_cost(theirs, PHOTO)
    weights = torchvision.models.get_model_weights(TORCHVISION_NAMES[name][1]).IMAGENET1K_V1
    assert count_cost(ours, PHOTO).parameters == weights.meta["num_params"]


@pytest.mark.parametrize("name", [name for name in TORCHVISION_NAMES if name not in WITHOUT_MEMORY])
def test_normalized_images_have_torchvisions_logits(name: str) -> None:
    ours, theirs, images = our_network(name, (3, 64, 64), 7), torchvision_network(name, 7), torch.rand(2, 3, 64, 64)
    theirs.load_state_dict(ours.state_dict())
    mean, std = (torch.tensor(rgb)[:, None, None] for rgb in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    if name == "googlenet":
        theirs.transform_input = True  # as torchvision does where it loads the published weights
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs((images - mean) / std), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in TORCHVISION_NAMES if name not in WITHOUT_MEMORY])
def test_without_normalization_images_are_unchanged(name: str) -> None:
    ours, theirs = our_network(name, (3, 64, 64), 7, normalize="none"), torchvision_network(name, 7)
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images))


@every_network
def test_small_images_keep_their_size_longer(name: str) -> None:
    """The first convolution keeps the size, and more than one pixel of 32 is left at the end."""
    with torch.device("meta"):
        model = our_network(name, CIFAR, 10, stem="small")
        sizes: list[int] = []
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda _module, _inputs, output: sizes.append(output.shape[-1]))
        logits = model(torch.zeros(2, *CIFAR))
    assert logits.shape == (2, 10)
    assert sizes[0] == 32
    # VGG pools between its stages, SqueezeNet and GoogLeNet twice, the others halve three times.
    assert sizes[-1] == {"vgg16": 2, "squeezenet": 8, "googlenet": 8}.get(our_name(name), 4)


@pytest.mark.parametrize("name", [name for name in TORCHVISION_NAMES if name not in WITHOUT_MEMORY])
def test_any_number_of_channels(name: str) -> None:
    with torch.device("meta"):
        for channels, stem in ((1, "small"), (4, "imagenet")):
            model = our_network(name, (channels, 64, 64), 3, stem=stem)
            assert model(torch.zeros(2, channels, 64, 64)).shape == (2, 3)


def test_a_published_conv_keeps_its_bias() -> None:
    with torch.device("meta"):
        model = our_network("squeezenet", (1, 64, 64), 3)
    assert {"features.0.weight", "features.0.bias"} <= model.state_dict().keys()


def test_small_vgg_has_its_published_size() -> None:
    with torch.device("meta"):
        model = our_network("vgg16", CIFAR, 10, stem="small")
    conv_weights = vgg16_conv_weights()
    assert count_cost(model, CIFAR).parameters == conv_weights + 512 * 10 + 10 == 14_719_818


def vgg16_conv_weights() -> int:
    """Weights of VGG-16's convolutions, from table 1 of the paper."""
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    return sum(9 * a * b + b for a, b in pairwise(widths))


@pytest.mark.parametrize("normalize", ["none", "imagenet", "cifar"])
def test_normalization_adds_no_weights(normalize: str) -> None:
    with torch.device("meta"):
        assert [*our_network("resnet18", PHOTO, 1000, normalize=normalize).state_dict()] == [
            *torchvision_network("resnet18").state_dict()
        ]
