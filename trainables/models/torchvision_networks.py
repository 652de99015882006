"""torchvision's networks, for any number of classes and channels.

`stem: small` is for images of 64 pixels or fewer: a first convolution of 3x3 without a stride, and no pooling after it,
instead of the early down-sampling for ImageNet's 224 pixels. Images are normalized as the published weights expect.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal, NamedTuple

from torch import nn

from trainables.declare import declare
from trainables.models.input_layers import Normalize, Stem, adapt_first_conv, add_normalization
from trainables.models.weight_init import he_init

Shape = tuple[int, int, int]


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


@declare(paper="He et al. (2016), table 1")
def resnet18(shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet") -> nn.Module:
    """ResNet-18, 11.7 million weights with 1000 classes.

    Hint layers: `layer1`, `layer2`, `layer3`, `layer4`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        normalize: Mean and standard deviation for the images: those of ImageNet, of CIFAR-100, or none.
    """
    return _torchvision_network("resnet18", shape, classes, stem, normalize)


@declare(paper="He et al. (2016), table 1")
def resnet34(shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet") -> nn.Module:
    """ResNet-34, 21.8 million weights with 1000 classes.

    Hint layers: `layer1`, `layer2`, `layer3`, `layer4`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        normalize: Mean and standard deviation for the images: those of ImageNet, of CIFAR-100, or none.
    """
    return _torchvision_network("resnet34", shape, classes, stem, normalize)


@declare(paper="He et al. (2016), table 1")
def resnet50(shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet") -> nn.Module:
    """ResNet-50, 25.6 million weights with 1000 classes.

    Hint layers: `layer1`, `layer2`, `layer3`, `layer4`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        normalize: Mean and standard deviation for the images: those of ImageNet, of CIFAR-100, or none.
    """
    return _torchvision_network("resnet50", shape, classes, stem, normalize)


@declare(paper="Sandler et al. (2018), table 2")
def mobilenet_v2(
    shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet"
) -> nn.Module:
    """MobileNetV2, 3.5 million weights with 1000 classes.

    Hint layers: `features.3`, `features.6`, `features.13`, `features.18`, the last of each size.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        normalize: Mean and standard deviation for the images: those of ImageNet, of CIFAR-100, or none.
    """
    return _torchvision_network("mobilenet_v2", shape, classes, stem, normalize)


@declare(paper="Huang et al. (2017), table 1")
def densenet121(shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet") -> nn.Module:
    """DenseNet-121, 8.0 million weights with 1000 classes.

    Hint layers: `features.denseblock1`, `features.denseblock2`, `features.denseblock3`, `features.denseblock4`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        normalize: Mean and standard deviation for the images: those of ImageNet, of CIFAR-100, or none.
    """
    return _torchvision_network("densenet121", shape, classes, stem, normalize)


@declare(paper="Szegedy et al. (2015), table 1")
def googlenet(shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet") -> nn.Module:
    """GoogLeNet with batch norm, 6.6 million weights with 1000 classes.

    Without the auxiliary heads. Its published weights were trained on images from -1 to 1, and `normalize: imagenet`
    gives it those. Hint layers: `inception3b`, `inception4e`, `inception5b`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        normalize: Mean and standard deviation for the images: those of ImageNet, of CIFAR-100, or none.
    """
    statistics = "symmetric" if normalize == "imagenet" else normalize
    return _torchvision_network("googlenet", shape, classes, stem, statistics, aux_logits=False, init_weights=True)


@declare(paper="Simonyan and Zisserman (2015), table 1")
def vgg16(
    shape: Shape,
    classes: int,
    *,
    stem: Stem = "imagenet",
    normalize: Normalize = "imagenet",
    batch_norm: bool = False,
) -> nn.Module:
    """VGG-16, 138 million weights with 1000 classes.

    With `stem: small` it has four poolings, an average in place of the fifth, and one linear layer: 14.7 million
    weights with 10 classes. Hint layers: `features.8`, `features.15`, `features.22`. With batch norm the same are
    `features.12`, `features.22`, `features.32`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        normalize: Mean and standard deviation for the images: those of ImageNet, of CIFAR-100, or none.
        batch_norm: Put batch norm after each convolution.
    """
    name = "vgg16_bn" if batch_norm else "vgg16"
    if stem == "imagenet":
        return _torchvision_network(name, shape, classes, stem, normalize)
    from trainables.models.torchvision_import import torchvision  # a second to import

    vgg = torchvision.models.vgg
    parts = {
        "features": vgg.make_layers(vgg.cfgs["D"][:-1], batch_norm),
        "average": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "classifier": nn.Linear(512, classes),
    }
    for module in parts["features"]:
        if isinstance(module, nn.MaxPool2d):
            module.ceil_mode = True  # keeps at least one pixel of images smaller than 16
    return _adapt_inputs(he_init(nn.Sequential(OrderedDict(parts))), name, shape, stem, normalize)


@declare(paper="Ma et al. (2018), table 5")
def shufflenet_v2(
    shape: Shape,
    classes: int,
    *,
    stem: Stem = "imagenet",
    normalize: Normalize = "imagenet",
    width: Literal["0.5", "1.0"] = "1.0",
) -> nn.Module:
    """ShuffleNetV2, 1.4 or 2.3 million weights with 1000 classes.

    Hint layers: `stage2`, `stage3`, `stage4`, `conv5`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        normalize: Mean and standard deviation for the images: those of ImageNet, of CIFAR-100, or none.
        width: Factor of the channels; 0.5 has 1.4 million weights, 1.0 has 2.3.
    """
    return _torchvision_network(f"shufflenet_v2_x{width.replace('.', '_')}", shape, classes, stem, normalize)


@declare(paper="Iandola et al. (2016), table 1")
def squeezenet(
    shape: Shape,
    classes: int,
    *,
    stem: Stem = "imagenet",
    normalize: Normalize = "imagenet",
    version: Literal["1.0", "1.1"] = "1.0",
) -> nn.Module:
    """SqueezeNet, 1.2 million weights with 1000 classes.

    Hint layers: `features.5`, `features.10`, `features.12`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        normalize: Mean and standard deviation for the images: those of ImageNet, of CIFAR-100, or none.
        version: Version of the architecture.
    """
    return _torchvision_network(f"squeezenet{version.replace('.', '_')}", shape, classes, stem, normalize)


def _torchvision_network(
    name: str, shape: Shape, classes: int, stem: Stem, statistics: str, **options: bool
) -> nn.Module:
    """Build a network by its name in torchvision."""
    from trainables.models.torchvision_import import torchvision  # a second to import

    model = torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
    return _adapt_inputs(model, name, shape, stem, statistics)


def _adapt_inputs(model: nn.Module, name: str, shape: Shape, stem: Stem, statistics: str) -> nn.Module:
    """Adapt a network in place to its images.

    Its attribute `published` is the name of its weights in torchvision.
    """
    net = LAYER_NAMES[name]
    first = _conv_layer(model, net.first)
    adapt_first_conv(first, shape[0], stem)
    add_normalization(first, statistics, shape[0])
    if stem == "small":
        for pool in net.pools:
            model.set_submodule(pool, nn.Identity())
        for strided in net.strides:
            _conv_layer(model, strided).stride = (1, 1)
    model.published = name  # type: ignore[assignment]  # a module takes any attribute
    return model


def _conv_layer(model: nn.Module, name: str) -> nn.Conv2d:
    layer = model.get_submodule(name)
    assert isinstance(layer, nn.Conv2d)
    return layer
