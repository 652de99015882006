"""Construction of torchvision's networks for any images and classes."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from trainables.models.input_layers import IMAGENET, Stem, adapt_first_conv

Shape = tuple[int, int, int]  # channels, height, width of an image


class LayerNames(NamedTuple):
    """First convolution of a network, and layers left out by `stem: small`."""

    first: str
    pools: tuple[str, ...] = ()
    strides: tuple[str, ...] = ()


RESNET = LayerNames("conv1", ("maxpool",))
SHUFFLENET = LayerNames("conv1.0", ("maxpool",))
SQUEEZENET = LayerNames("features.0", ("features.2",))
LAYER_NAMES = {
    "resnet18": RESNET,
    "resnet34": RESNET,
    "resnet50": RESNET,
    "mobilenet_v2": LayerNames("features.0.0", strides=("features.2.conv.1.0",)),
    "densenet121": LayerNames("features.conv0", ("features.pool0",)),
    "googlenet": LayerNames("conv1.conv", ("maxpool1", "maxpool2")),
    "vgg16": LayerNames("features.0"),
    "vgg16_bn": LayerNames("features.0"),
    "shufflenet_v2_x0_5": SHUFFLENET,
    "shufflenet_v2_x1_0": SHUFFLENET,
    "squeezenet1_0": SQUEEZENET,
    "squeezenet1_1": SQUEEZENET,
}


def build_torchvision_network(name: str, shape: Shape, classes: int, stem: Stem, **options: bool) -> nn.Module:
    """Build a network by its name in torchvision."""
    from trainables.models.torchvision_import import torchvision  # a second to import

    model = torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
    return adapt_inputs(model, name, shape, stem)


def adapt_inputs(model: nn.Module, name: str, shape: Shape, stem: Stem) -> nn.Module:
    """Adapt a network in place to its images.

    Its attribute `published` is the name of its weights in torchvision, `published_normalization` their normalization.
    """
    net = LAYER_NAMES[name]
    first = _conv_layer(model, net.first)
    adapt_first_conv(first, shape[0], stem)
    if stem == "small":
        for pool in net.pools:
            model.set_submodule(pool, nn.Identity())
        for strided in net.strides:
            _conv_layer(model, strided).stride = (1, 1)
    model.published = name  # type: ignore[assignment]  # a module takes any attribute
    model.published_normalization = IMAGENET  # type: ignore[assignment]
    return model


def _conv_layer(model: nn.Module, name: str) -> nn.Conv2d:
    layer = model.get_submodule(name)
    assert isinstance(layer, nn.Conv2d)
    return layer
