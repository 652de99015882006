"""torchvision's networks, for any number of classes and channels.

`stem: small` is for images of 64 pixels or fewer: a first convolution of 3x3 without a stride, and no pooling after it,
instead of the early down-sampling for ImageNet's 224 pixels. Images are normalized as the published weights expect.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from torch import nn

from trainables.declare import declare
from trainables.models.input_layers import SYMMETRIC, Stem
from trainables.models.torchvision_builder import Shape, adapt_inputs, build_torchvision_network
from trainables.models.weight_init import he_init


@declare(paper="He et al. (2016), table 1")
def resnet18(shape: Shape, classes: int, *, stem: Stem = "imagenet") -> nn.Module:
    """ResNet-18, 11.7 million weights with 1000 classes.

    Hint layers: `layer1`, `layer2`, `layer3`, `layer4`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
    """
    return build_torchvision_network("resnet18", shape, classes, stem)


@declare(paper="He et al. (2016), table 1")
def resnet34(shape: Shape, classes: int, *, stem: Stem = "imagenet") -> nn.Module:
    """ResNet-34, 21.8 million weights with 1000 classes.

    Hint layers: `layer1`, `layer2`, `layer3`, `layer4`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
    """
    return build_torchvision_network("resnet34", shape, classes, stem)


@declare(paper="He et al. (2016), table 1")
def resnet50(shape: Shape, classes: int, *, stem: Stem = "imagenet") -> nn.Module:
    """ResNet-50, 25.6 million weights with 1000 classes.

    Hint layers: `layer1`, `layer2`, `layer3`, `layer4`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
    """
    return build_torchvision_network("resnet50", shape, classes, stem)


@declare(paper="Sandler et al. (2018), table 2")
def mobilenet_v2(shape: Shape, classes: int, *, stem: Stem = "imagenet") -> nn.Module:
    """MobileNetV2, 3.5 million weights with 1000 classes.

    Hint layers: `features.3`, `features.6`, `features.13`, `features.18`, the last of each size.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
    """
    return build_torchvision_network("mobilenet_v2", shape, classes, stem)


@declare(paper="Huang et al. (2017), table 1")
def densenet121(shape: Shape, classes: int, *, stem: Stem = "imagenet") -> nn.Module:
    """DenseNet-121, 8.0 million weights with 1000 classes.

    Hint layers: `features.denseblock1`, `features.denseblock2`, `features.denseblock3`, `features.denseblock4`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
    """
    return build_torchvision_network("densenet121", shape, classes, stem)


@declare(paper="Szegedy et al. (2015), table 1")
def googlenet(shape: Shape, classes: int, *, stem: Stem = "imagenet") -> nn.Module:
    """GoogLeNet with batch norm, 6.6 million weights with 1000 classes.

    Without the auxiliary heads. Its published weights were trained on images from -1 to 1, and get those by default.
    Hint layers: `inception3b`, `inception4e`, `inception5b`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
    """
    model = build_torchvision_network("googlenet", shape, classes, stem, aux_logits=False, init_weights=True)
    model.published_normalization = SYMMETRIC  # type: ignore[assignment]  # a module takes any attribute
    return model


@declare(paper="Simonyan and Zisserman (2015), table 1")
def vgg16(
    shape: Shape,
    classes: int,
    *,
    stem: Stem = "imagenet",
    batch_norm: bool = False,
) -> nn.Module:
    """VGG-16, 138 million weights with 1000 classes.

    With `stem: small` it has four poolings, an average in place of the fifth, and one linear layer: 14.7 million
    weights with 10 classes. Hint layers: `features.8`, `features.15`, `features.22`. With batch norm the same are
    `features.12`, `features.22`, `features.32`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        batch_norm: Put batch norm after each convolution.
    """
    name = "vgg16_bn" if batch_norm else "vgg16"
    if stem == "imagenet":
        return build_torchvision_network(name, shape, classes, stem)
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
    return adapt_inputs(he_init(nn.Sequential(OrderedDict(parts))), name, shape, stem)


@declare(paper="Ma et al. (2018), table 5")
def shufflenet_v2(
    shape: Shape,
    classes: int,
    *,
    stem: Stem = "imagenet",
    width: Literal["0.5", "1.0"] = "1.0",
) -> nn.Module:
    """ShuffleNetV2, 1.4 or 2.3 million weights with 1000 classes.

    Hint layers: `stage2`, `stage3`, `stage4`, `conv5`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        width: Factor of the channels; 0.5 has 1.4 million weights, 1.0 has 2.3.
    """
    return build_torchvision_network(f"shufflenet_v2_x{width.replace('.', '_')}", shape, classes, stem)


@declare(paper="Iandola et al. (2016), table 1")
def squeezenet(
    shape: Shape,
    classes: int,
    *,
    stem: Stem = "imagenet",
    version: Literal["1.0", "1.1"] = "1.0",
) -> nn.Module:
    """SqueezeNet, 1.2 million weights with 1000 classes.

    Hint layers: `features.5`, `features.10`, `features.12`.

    Args:
        stem: First layers, for large images (imagenet) or for 64 pixels and fewer (small).
        version: Version of the architecture.
    """
    return build_torchvision_network(f"squeezenet{version.replace('.', '_')}", shape, classes, stem)
