"""What an experiment stands on, for the protocol above every table."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from spaces.space import Space
from trainables.data import Dataset
from trainables.device import describe, given
from trainables.methods import formula
from trainables.weights.initial import digests

PACKAGES = ("ray", "torch", "torchvision", "optuna", "numpy")


def environment(space: Space, data: Dataset, command: str, plugins: dict[str, str]) -> dict[str, Any]:
    """Command, date, device, versions, data and loss, as JSON."""
    probes = [space.fill(values, space.seeds[0]) for values in space.probes()]
    methods = dict.fromkeys(recipe.method.name for recipe in probes)
    return {
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": describe(given(space.resources.gpus)),
        "cores": os.cpu_count(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "data": {
            "name": data.name,
            **data.sizes,
            "classes": list(data.classes),
            "imbalance": _imbalance(data),
            "shape": list(data.shape),
            "source": data.source,
            "split": data.split,
        },
        "loss": "; ".join(formula(name) for name in methods),
        "precision": probes[0].train.precision,
        "plugins": plugins,
        "weights": started(space, data),
    }


def _imbalance(data: Dataset) -> float:
    """How many times as many training images the largest class has as the smallest that has any."""
    counts = np.unique(data.train.labels, return_counts=True)[1]
    return float(counts.max() / counts.min())


def started(space: Space, data: Dataset) -> list[str]:
    """The contents of the files that students start from, by their sha256."""
    probes = [space.fill(values, space.seeds[0]) for values in space.probes()]
    return sorted({each for recipe in probes for each in digests(recipe, data)})
