"""Image files of the three splits, decoded as one array.

The files are decoded in the order of the splits, so that each split is a range of one cached array: mapped, not copied.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainables.data.dataset import Split
from trainables.data.image_cache import ImageLayout, decode_images
from trainables.data.stratified_split import draw_validation


class LabeledFiles(NamedTuple):
    """Names of image files and their labels, int64 [n]."""

    names: list[str]
    labels: np.ndarray

    @classmethod
    def of_pairs(cls, pairs: Sequence[tuple[str, int]]) -> LabeledFiles:
        """Return the files of pairs (name, label)."""
        return cls([name for name, _ in pairs], np.array([label for _, label in pairs], np.int64))

    def at(self, indices: np.ndarray) -> LabeledFiles:
        """Return the files at these indices."""
        return LabeledFiles([self.names[index] for index in indices], self.labels[indices])

    def without(self, names: Collection[str]) -> LabeledFiles:
        """Return the files other than these."""
        remaining = np.array([name not in names for name in self.names], bool)
        return self.at(np.flatnonzero(remaining)) if names else self

    def followed_by(self, more: LabeledFiles) -> LabeledFiles:
        """Return these files and more."""
        return LabeledFiles([*self.names, *more.names], np.concatenate([self.labels, more.labels]))


class SplitFiles(NamedTuple):
    """Files of each split, and how validation and test were drawn."""

    train: LabeledFiles
    val: LabeledFiles
    test: LabeledFiles
    how: str


def cut_validation(train: LabeledFiles, test: LabeledFiles, validation: int) -> SplitFiles:
    """Split the training files into training and validation."""
    rest, val, how = draw_validation(train.labels, validation)
    return SplitFiles(train.at(rest), train.at(val), test, how)


def decode_splits(base: Path, files: SplitFiles, layout: ImageLayout) -> tuple[Split, Split, Split]:
    """Decode the files BASE/name; return training, validation and test images."""
    parts = files[:3]
    pixels = decode_images(base, [name for part in parts for name in part.names], layout)
    ends = np.cumsum([len(part.names) for part in parts]).tolist()
    train, val, test = (
        Split(pixels[start:end], part.labels) for start, end, part in zip([0, *ends], ends, parts, strict=False)
    )
    return train, val, test
