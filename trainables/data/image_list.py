"""Image files of a data set with their classes and parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from trainables.data.split_files import LabeledFiles

ALL = ""  # the part of a data set without splits
TRAIN, VAL, TEST, UNLABELED_PART = "train", "val", "test", "unlabeled"
# Names of folders, and of values in a table's column, in lower case.
PART_NAMES = {
    "train": TRAIN, "training": TRAIN,
    "val": VAL, "valid": VAL, "validation": VAL, "dev": VAL,
    "test": TEST, "testing": TEST,
    "unlabeled": UNLABELED_PART, "unlabelled": UNLABELED_PART,
}  # fmt: skip
HEIF_SUFFIXES = (".heic", ".heif")


class ImageList(NamedTuple):
    """Files below a base by part, before they are read.

    The parts are ALL, or TRAIN with or without VAL and TEST; in each case UNLABELED_PART may be one more.
    """

    base: Path
    classes: tuple[str, ...]
    parts: Mapping[str, LabeledFiles]
    problems: tuple[str, ...]  # lines of errors
    notes: tuple[str, ...]  # sentences on files that are no errors

    @property
    def names(self) -> list[str]:
        """Names of all files."""
        return [name for part in self.parts.values() for name in part.names]

    def class_of(self) -> dict[str, str]:
        """Return the class of each labeled file."""
        return {
            name: self.classes[label]
            for part, files in self.parts.items()
            if part != UNLABELED_PART
            for name, label in zip(files.names, files.labels, strict=True)
        }


def skipped_note(suffixes: Counter[str]) -> list[str]:
    """Return a note on skipped files, by suffix."""
    if not suffixes:
        return []
    counts = ", ".join(f"{suffix or 'no suffix'} {n:,}" for suffix, n in suffixes.most_common(5))
    more = f" and {len(suffixes) - 5:,} more kinds" if len(suffixes) > 5 else ""
    return [f"other files are skipped: {suffixes.total():,} ({counts}{more})"]


def decoder_problems(base: Path, names: Iterable[str]) -> list[str]:
    """Return a problem if HEIC images have no decoder on this machine."""
    heif = [name for name in names if Path(name).suffix.lower() in HEIF_SUFFIXES]
    if not heif or find_spec("pillow_heif"):
        return []
    return [f"{base / heif[0]}: {len(heif):,} HEIC images need a decoder: pip install pillow-heif"]
