"""Networks of timm, an optional dependency: `pip install 'distil-search[timm]'`."""

from __future__ import annotations

import importlib
from types import ModuleType

from torch import nn

from spaces.errors import UserError, did_you_mean
from trainables.models.input_layers import Normalize, add_normalization


def timm(shape: tuple[int, int, int], classes: int, *, arch: str, normalize: Normalize = "imagenet") -> nn.Module:
    """Any network of timm, by its name there.

    The hint layers of ResNet50V2 are its stages. Hint layers: `stages.0`, `stages.1`, `stages.2`, `stages.3`.

    Args:
        arch: Name in timm, such as resnetv2_50.
        normalize: Mean and standard deviation for the images: those of ImageNet, of CIFAR-100, or none.
    """
    library = _import_timm()
    if not library.is_model(arch):
        raise UserError(f"arch: timm has no {arch}{did_you_mean(arch, library.list_models())[:200]}")
    published = library.get_pretrained_cfg(arch)
    sized = {"img_size": shape[1:]} if published and published.fixed_input_size else {}
    try:
        model = library.create_model(arch, pretrained=False, num_classes=classes, in_chans=shape[0], **sized)
    except (AssertionError, TypeError) as error:
        raise ValueError(f"timm's {arch}: {error or type(error).__name__}") from None
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear))
    add_normalization(first, normalize, shape[0])
    return model


def _import_timm() -> ModuleType:
    """Import timm; raise UserError with the install command if it is missing."""
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        raise UserError("the networks of timm are an extra: pip install 'distil-search[timm]'") from None
