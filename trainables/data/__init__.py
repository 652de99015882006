"""Data sets by name: one file each, and one line in DATA."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from spaces.errors import UserError, nearest
from trainables.data import digits, idx, mnist, mnist5k
from trainables.data.dataset import Dataset, Split
from trainables.data.root import Missing, given, where
from trainables.knobs import problems

__all__ = ["DATA", "Dataset", "Loader", "Missing", "Split", "given", "load", "where"]

# A loader takes the data root and whether it may download; its keyword-only arguments are its knobs in YAML.
Loader = Callable[..., Dataset]

DATA: dict[str, Loader] = {
    "mnist": mnist.mnist,
    "mnist5k": mnist5k.mnist5k,
    "digits": digits.digits,
    "idx": idx.idx,
}


def load(name: str, root: Path | None = None, *, download: bool = False, **values: Any) -> Dataset:
    """The data set of that name; a UserError for a wrong name, knob or file, Missing where its files are not there."""
    if name not in DATA:
        raise UserError(f"data.name: {name}: unknown data set{nearest(name, DATA)}")
    for knob, message in problems(DATA[name], values):
        raise UserError(f"data.{knob}: {message}")
    return DATA[name](where(root), download, **values)
