"""Data sets by name: one file each, and one line in DATA."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from spaces.errors import UserError, nearest
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
from trainables.data.root import Missing, given, where
from trainables.data.sketch import SKETCHES
from trainables.knobs import problems

__all__ = ["DATA", "Dataset", "Loader", "Missing", "Split", "given", "load", "sketched", "where"]

# A loader takes the data root and whether it may download; its keyword-only arguments are its knobs in YAML.
Loader = Callable[..., Dataset]

DATA: dict[str, Loader] = {
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


def load(name: str, root: Path | None = None, *, download: bool = False, **values: Any) -> Dataset:
    """The data set of that name; a UserError for a wrong name, knob or file, Missing where its files are not there."""
    if name not in DATA:
        raise UserError(f"data.name: {name}: unknown data set{nearest(name, DATA)}")
    for knob, message in problems(DATA[name], values):
        raise UserError(f"data.{knob}: {message}")
    data = DATA[name](where(root), download, **values)
    if len(found := np.unique(data.train.labels)) < 2:
        only = f"all {len(data.train.labels):,} images to train on are of one class, {data.classes[found[0]]}"
        raise UserError(f"{where(root)}: {name}: {only}; expected at least two classes")
    return data


def sketched(name: str, **values: Any) -> Dataset | None:
    """Generated images, written in the layout of a data set and read by its own loader; None where there are none."""
    if name not in SKETCHES:
        return None
    with TemporaryDirectory(prefix="distil-search-") as root:
        data = DATA[name](Path(root), False, **SKETCHES[name](Path(root), values))
    source = f"images generated for a smoke test in the layout of {name}, none of its own"
    return data._replace(name=f"generated {name}", source=source)
