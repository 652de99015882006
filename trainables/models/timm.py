"""Any network of timm, an extra of this project: `pip install 'distil-search[timm]'`."""

from __future__ import annotations

import importlib
from types import ModuleType

from torch import nn

from spaces.errors import UserError, nearest
from trainables.models.stem import Normalize, normalized


def timm(shape: tuple[int, int, int], classes: int, *, arch: str, normalize: Normalize = "imagenet") -> nn.Module:
    """A network by timm's own name for it, such as `resnetv2_50`, for any number of classes and channels.

    Those of ResNet50V2 are its stages. Hint layers: `stages.0`, `stages.1`, `stages.2`, `stages.3`.
    """
    library = _library()
    if not library.is_model(arch):
        raise UserError(f"arch: timm has no {arch}{nearest(arch, library.list_models())[:200]}")
    published = library.get_pretrained_cfg(arch)
    sized = {"img_size": shape[1:]} if published and published.fixed_input_size else {}
    try:
        model = library.create_model(arch, pretrained=False, num_classes=classes, in_chans=shape[0], **sized)
    except (AssertionError, TypeError) as error:
        raise ValueError(f"timm's {arch}: {error or type(error).__name__}") from None
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear))
    normalized(first, normalize, shape[0])
    return model


def _library() -> ModuleType:
    """timm itself; a UserError that says how to install it where it is not."""

    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        raise UserError("the networks of timm are an extra: pip install 'distil-search[timm]'") from None
