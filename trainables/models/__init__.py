"""Networks by name.

Each is a function (image shape, number of classes, *, knobs) -> network. The image shape is (channels, height, width).
To add a network: one file with a function, declared by `declare`, and one line in MODELS.
"""

from __future__ import annotations

from trainables.models.build import MODELS, build_network, build_without_memory
from trainables.models.cnn import cnn
from trainables.models.ensemble import ensemble
from trainables.models.mlp import mlp
from trainables.models.onnx import onnx
from trainables.models.plain_cnn import cnn3, plain_cnn
from trainables.models.recorded import recorded
from trainables.models.resnet_cifar import resnet_cifar
from trainables.models.routed import routed_network
from trainables.models.timm import timm
from trainables.models.torchscript import torchscript
from trainables.models.torchvision_networks import (
    densenet121,
    googlenet,
    mobilenet_v2,
    resnet18,
    resnet34,
    resnet50,
    shufflenet_v2,
    squeezenet,
    vgg16,
)
from trainables.models.transformers import transformers

__all__ = ["MODELS", "build_network", "build_without_memory"]

MODELS.update(
    {
        "cnn": cnn,
        "mlp": mlp,
        "cnn3": cnn3,
        "plain_cnn": plain_cnn,
        "resnet_cifar": resnet_cifar,
        "resnet18": resnet18,
        "resnet34": resnet34,
        "resnet50": resnet50,
        "mobilenet_v2": mobilenet_v2,
        "densenet121": densenet121,
        "googlenet": googlenet,
        "vgg16": vgg16,
        "shufflenet_v2": shufflenet_v2,
        "squeezenet": squeezenet,
        "timm": timm,
        "transformers": transformers,
        "torchscript": torchscript,
        "onnx": onnx,
        "recorded": recorded,
        "ensemble": ensemble,
        "routed": routed_network,
    }
)
