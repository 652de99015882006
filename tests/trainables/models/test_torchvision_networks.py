"""torchvision's networks: its own sizes and weights, for any images and classes."""

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
NAMES = {  # ours -> torchvision's
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
LARGE = {"vgg16", "vgg16 with batch norm"}  # half a gigabyte each; built without memory only

each = pytest.mark.parametrize("name", NAMES)


def ours(name: str) -> str:
    return name.partition(" ")[0]


def network(name: str, shape: tuple[int, int, int], classes: int, **knobs: Any) -> nn.Module:
    tree = {"name": ours(name), **NAMES[name][0], **knobs}
    return build_network(Model.model_validate(tree), shape, classes).eval()


def original(name: str, classes: int = 1000) -> nn.Module:
    quiet = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    return torchvision.models.get_model(NAMES[name][1], weights=None, num_classes=classes, **quiet).eval()


def test_all_of_them_are_here() -> None:
    assert {ours(name) for name in NAMES} == {n for n in MODELS if MODELS[n].__module__.endswith(".torchvision_networks")}


@each
def test_with_a_thousand_classes_they_are_the_published_networks(name: str) -> None:
    with torch.device("meta"):
        found, theirs = network(name, PHOTO, 1000), original(name)
        assert [*found.state_dict()] == [*theirs.state_dict()]
        assert count_cost(found, PHOTO) == count_cost(theirs, PHOTO)
    weights = torchvision.models.get_model_weights(NAMES[name][1]).IMAGENET1K_V1
    assert count_cost(found, PHOTO).parameters == weights.meta["num_params"]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LARGE])
def test_normalised_images_get_torchvisions_answer(name: str) -> None:
    found, theirs, images = network(name, (3, 64, 64), 7), original(name, 7), torch.rand(2, 3, 64, 64)
    theirs.load_state_dict(found.state_dict())
    mean, std = (torch.tensor(each)[:, None, None] for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    if name == "googlenet":
        theirs.transform_input = True  # as torchvision does where it loads the published weights
    with torch.no_grad():
        torch.testing.assert_close(found(images), theirs((images - mean) / std), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LARGE])
def test_without_normalisation_images_are_taken_as_they_are(name: str) -> None:
    found, theirs = network(name, (3, 64, 64), 7, normalize="none"), original(name, 7)
    theirs.load_state_dict(found.state_dict())
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(found(images), theirs(images))


@each
def test_small_images_keep_their_size_longer(name: str) -> None:
    """The first convolution leaves the planes as large as they are, and of 32 pixels more than one is left."""
    with torch.device("meta"):
        model = network(name, CIFAR, 10, stem="small")
        sizes: list[int] = []
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda _module, _inputs, output: sizes.append(output.shape[-1]))
        logits = model(torch.zeros(2, *CIFAR))
    assert logits.shape == (2, 10)
    assert sizes[0] == 32
    # VGG pools between its stages, SqueezeNet and GoogLeNet twice, the others halve three times.
    assert sizes[-1] == {"vgg16": 2, "squeezenet": 8, "googlenet": 8}.get(ours(name), 4)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in LARGE])
@pytest.mark.parametrize("channels", [1, 4])
def test_any_number_of_channels(name: str, channels: int) -> None:
    with torch.device("meta"):
        for stem in ("small", "imagenet"):
            model = network(name, (channels, 64, 64), 3, stem=stem)
            assert model(torch.zeros(2, channels, 64, 64)).shape == (2, 3)


def test_a_published_conv_keeps_its_bias() -> None:
    with torch.device("meta"):
        model = network("squeezenet", (1, 64, 64), 3)
    assert {"features.0.weight", "features.0.bias"} <= model.state_dict().keys()


def test_small_vgg_is_the_one_of_the_tables() -> None:
    with torch.device("meta"):
        model = network("vgg16", CIFAR, 10, stem="small")
    convs = original_convs()
    assert count_cost(model, CIFAR).parameters == convs + 512 * 10 + 10 == 14_719_818


def original_convs() -> int:
    """Weights of VGG-16's convolutions, by table 1 of the paper."""
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    return sum(9 * a * b + b for a, b in pairwise(widths))


@pytest.mark.parametrize("normalize", ["none", "imagenet", "cifar"])
def test_normalisation_adds_no_weights(normalize: str) -> None:
    with torch.device("meta"):
        assert [*network("resnet18", PHOTO, 1000, normalize=normalize).state_dict()] == [
            *original("resnet18").state_dict()
        ]
