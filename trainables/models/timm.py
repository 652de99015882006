"""Networks of timm, an optional dependency: `pip install 'distil-search[timm]'`."""

from __future__ import annotations

import importlib
from types import ModuleType

from torch import nn

from spaces.errors import UserError, did_you_mean
from spaces.parts import Normalization


def timm(shape: tuple[int, int, int], classes: int, *, arch: str) -> nn.Module:
    """Any network of timm, by its name there.

    Images are normalized as timm publishes it for the network, by default.
    Hint layers of ResNet50V2: `stages.0`, `stages.1`, `stages.2`, `stages.3`.

    Args:
        arch: Name in timm, such as resnetv2_50.
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
    config = model.pretrained_cfg
    model.published_normalization = Normalization(mean=list(config["mean"]), std=list(config["std"]))
    return model


def _import_timm() -> ModuleType:
    """Import timm; raise UserError with the install command if it is missing."""
    importlib.import_module("trainables.models.torchvision_import")  # timm needs torchvision, which may need its help
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        raise UserError("the networks of timm are an extra: pip install 'distil-search[timm]'") from None
