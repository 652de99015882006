"""Import of torchvision, also without its compiled operators.

`from trainables.models.torchvision_import import torchvision`
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import torch

# PyPI's torchvision is built against CUDA. With a CPU-only torch its extension cannot load, these two operators stay
# undefined, and the import fails at the registration of their shapes. Models, transforms and data sets call neither:
# their schemas, without any implementation, are enough for the import.
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def _load(library: torch.library.Library) -> ModuleType:
    """Import torchvision, with the missing operators defined if needed."""
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]  # half imported
    for schema in SCHEMAS:
        library.define(schema)
    return importlib.import_module("torchvision")


# "FRAGMENT" adds to the namespace; "DEF" would claim it, which is the extension's own where it loads.
# The definitions live as long as this object.
_library = torch.library.Library("torchvision", "FRAGMENT")
torchvision = _load(_library)
importlib.import_module("torchvision.transforms.v2")  # torchvision itself does not import it
