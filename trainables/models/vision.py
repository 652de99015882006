"""torchvision's networks, for any number of classes and channels, and for images of 64 pixels or fewer.

With `stem: small` they do without the early down-sampling that ImageNet's 224 pixels are made for: a first convolution
of 3x3 without a stride, and no pooling behind it. Images are normalized as their published weights expect.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal, NamedTuple

from torch import nn

from trainables.models.init import he
from trainables.models.stem import Normalize, Stem, normalized, opened

Shape = tuple[int, int, int]


class Net(NamedTuple):
    """Where a network's first convolution is, and which layers of it small images do without."""

    first: str
    pools: tuple[str, ...] = ()
    strides: tuple[str, ...] = ()


RESNET = Net("conv1", ("maxpool",))
SHUFFLENET = Net("conv1.0", ("maxpool",))
SQUEEZENET = Net("features.0", ("features.2",))
NETS = {
    "resnet18": RESNET,
    "resnet34": RESNET,
    "resnet50": RESNET,
    "mobilenet_v2": Net("features.0.0", strides=("features.2.conv.1.0",)),
    "densenet121": Net("features.conv0", ("features.pool0",)),
    "googlenet": Net("conv1.conv", ("maxpool1", "maxpool2")),
    "vgg16": Net("features.0"),
    "vgg16_bn": Net("features.0"),
    "shufflenet_v2_x0_5": SHUFFLENET,
    "shufflenet_v2_x1_0": SHUFFLENET,
    "squeezenet1_0": SQUEEZENET,
    "squeezenet1_1": SQUEEZENET,
}


def resnet18(shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet") -> nn.Module:
    """ResNet-18 (He et al. 2016, table 1), 11.7 million weights with 1000 classes.

    Hint layers: `layer1`, `layer2`, `layer3`, `layer4`.
    """
    return _published("resnet18", shape, classes, stem, normalize)


def resnet34(shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet") -> nn.Module:
    """ResNet-34 (He et al. 2016, table 1), 21.8 million weights with 1000 classes.

    Hint layers: `layer1`, `layer2`, `layer3`, `layer4`.
    """
    return _published("resnet34", shape, classes, stem, normalize)


def resnet50(shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet") -> nn.Module:
    """ResNet-50 (He et al. 2016, table 1), 25.6 million weights with 1000 classes.

    Hint layers: `layer1`, `layer2`, `layer3`, `layer4`.
    """
    return _published("resnet50", shape, classes, stem, normalize)


def mobilenet_v2(
    shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet"
) -> nn.Module:
    """MobileNetV2 (Sandler et al. 2018, table 2), 3.5 million weights with 1000 classes.

    Hint layers: `features.3`, `features.6`, `features.13`, `features.18`, the last of each size of its planes.
    """
    return _published("mobilenet_v2", shape, classes, stem, normalize)


def densenet121(shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet") -> nn.Module:
    """DenseNet-121 (Huang et al. 2017, table 1), 8.0 million weights with 1000 classes.

    Hint layers: `features.denseblock1`, `features.denseblock2`, `features.denseblock3`, `features.denseblock4`.
    """
    return _published("densenet121", shape, classes, stem, normalize)


def googlenet(shape: Shape, classes: int, *, stem: Stem = "imagenet", normalize: Normalize = "imagenet") -> nn.Module:
    """GoogLeNet (Szegedy et al. 2015, table 1) with batch norm, without heads in the middle; 6.6 million weights.

    Its published weights were trained on images from -1 to 1, and `normalize: imagenet` gives it those. Hint layers:
    `inception3b`, `inception4e`, `inception5b`.
    """
    statistics = "symmetric" if normalize == "imagenet" else normalize
    return _published("googlenet", shape, classes, stem, statistics, aux_logits=False, init_weights=True)


def vgg16(
    shape: Shape,
    classes: int,
    *,
    stem: Stem = "imagenet",
    normalize: Normalize = "imagenet",
    batch_norm: bool = False,
) -> nn.Module:
    """VGG-16 (Simonyan and Zisserman 2015, table 1), 138 million weights with 1000 classes.

    For small images four poolings are left, an average takes the place of the fifth, and one linear layer follows: 14.7
    million weights with 10 classes. Hint layers: `features.8`, `features.15`, `features.22`. With batch norm the same
    are `features.12`, `features.22`, `features.32`.
    """
    name = "vgg16_bn" if batch_norm else "vgg16"
    if stem == "imagenet":
        return _published(name, shape, classes, stem, normalize)
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
            module.ceil_mode = True  # nothing is left of fewer than 16 pixels otherwise
    return _finished(he(nn.Sequential(OrderedDict(parts))), name, shape, stem, normalize)


def shufflenet_v2(
    shape: Shape,
    classes: int,
    *,
    stem: Stem = "imagenet",
    normalize: Normalize = "imagenet",
    width: Literal["0.5", "1.0"] = "1.0",
) -> nn.Module:
    """ShuffleNetV2 (Ma et al. 2018, table 5) of width 0.5 or 1.0; 1.4 or 2.3 million weights with 1000 classes.

    Hint layers: `stage2`, `stage3`, `stage4`, `conv5`.
    """
    return _published(f"shufflenet_v2_x{width.replace('.', '_')}", shape, classes, stem, normalize)


def squeezenet(
    shape: Shape,
    classes: int,
    *,
    stem: Stem = "imagenet",
    normalize: Normalize = "imagenet",
    version: Literal["1.0", "1.1"] = "1.0",
) -> nn.Module:
    """SqueezeNet (Iandola et al. 2016, table 1) in its version 1.0 or 1.1, 1.2 million weights with 1000 classes.

    Hint layers: `features.5`, `features.10`, `features.12`.
    """
    return _published(f"squeezenet{version.replace('.', '_')}", shape, classes, stem, normalize)


def _published(name: str, shape: Shape, classes: int, stem: Stem, statistics: str, **options: bool) -> nn.Module:
    """A network by torchvision's own name for it."""
    from trainables.models.torchvision_import import torchvision  # a second to import

    model = torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
    return _finished(model, name, shape, stem, statistics)


def _finished(model: nn.Module, name: str, shape: Shape, stem: Stem, statistics: str) -> nn.Module:
    """The same network with its stem for these images; it knows by what name torchvision publishes weights."""
    net = NETS[name]
    first = _conv(model, net.first)
    opened(first, shape[0], stem)
    normalized(first, statistics, shape[0])
    if stem == "small":
        for pool in net.pools:
            model.set_submodule(pool, nn.Identity())
        for strided in net.strides:
            _conv(model, strided).stride = (1, 1)
    model.published = name  # type: ignore[assignment]  # any attribute may stand on a module
    return model


def _conv(model: nn.Module, name: str) -> nn.Conv2d:
    found = model.get_submodule(name)
    assert isinstance(found, nn.Conv2d)
    return found
