"""Data sets by name.

To add one, write a loader in a file of its own and a line in DATASETS.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from spaces.errors import UserError, did_you_mean
from trainables.data import (
    cifar10,
    cifar100,
    digits,
    fashion_mnist,
    folder,
    idx,
    mhist,
    mnist,
    mnist5k,
    tiny_imagenet,
)
from trainables.data.dataset import Dataset, Split
from trainables.data.dataset_contract import checked_dataset
from trainables.data.generated import GENERATORS
from trainables.data.locations import MissingFilesError, data_root, data_root_is_set
from trainables.knobs import knob_problems
from trainables.plugin_functions import call_plugin

__all__ = [
    "DATASETS",
    "Dataset",
    "Loader",
    "MissingFilesError",
    "Split",
    "data_root",
    "data_root_is_set",
    "generate_dataset",
    "load_dataset",
]

# Takes the data root and whether it may download. Its keyword-only arguments are its knobs in YAML.
Loader = Callable[..., Dataset]

DATASETS: dict[str, Loader] = {
    "mnist": mnist.mnist,
    "mnist5k": mnist5k.mnist5k,
    "digits": digits.digits,
    "idx": idx.idx,
    "fashion_mnist": fashion_mnist.fashion_mnist,
    "cifar10": cifar10.cifar10,
    "cifar100": cifar100.cifar100,
    "tiny_imagenet": tiny_imagenet.tiny_imagenet,
    "mhist": mhist.mhist,
    "folder": folder.folder,
}


def load_dataset(name: str, root: Path | None = None, *, download: bool = False, **values: Any) -> Dataset:
    """Load a data set by name, with the values of its knobs.

    Raises UserError for a wrong name, knob or file, and MissingFilesError if files are missing.
    """
    if name not in DATASETS:
        raise UserError(f"data.name: {name}: unknown data set{did_you_mean(name, DATASETS)}")
    for knob, message in knob_problems(DATASETS[name], values):
        raise UserError(f"data.{knob}: {message}")
    data = checked_dataset(name, call_plugin(DATASETS[name], data_root(root), download, **values))
    if len(labels := np.unique(data.train.labeled)) < 2:
        only = f"all {len(data.train.labeled):,} training images are of one class, {data.classes[labels[0]]}"
        raise UserError(f"{data_root(root)}: {name}: {only}; expected at least two classes")
    return data


def generate_dataset(name: str, **values: Any) -> Dataset | None:
    """Load generated images in the layout of a data set.

    For smoke tests without the data. Returns None for a data set without a generator.
    """
    if name not in GENERATORS:
        return None
    with TemporaryDirectory(prefix="distil-search-") as root:
        data = DATASETS[name](Path(root), False, **GENERATORS[name](Path(root), values))
    source = f"images generated for a smoke test in the layout of {name}, none of its own"
    return data._replace(name=f"generated {name}", source=source, is_generated=True)
