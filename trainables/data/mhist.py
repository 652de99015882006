"""MHIST: 3,152 images of colorectal polyps, 224 by 224, hyperplastic or sessile serrated (Wei et al., 2021).

The images are given on request by its authors, for research; nobody may pass them on.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spaces.errors import UserError, nearest
from trainables.data.cut import assemble
from trainables.data.dataset import Dataset, Split
from trainables.data.decoded import decoded
from trainables.data.groups import Groups, grouped
from trainables.data.images import SUFFIXES
from trainables.data.lines import entries, text
from trainables.data.root import missing
from trainables.knobs import Count

CLASSES = ("HP", "SSA")
PARTITIONS = ("train", "test")
HEADER = [
    "Image Name", "Majority Vote Label", "Number of Annotators who Selected SSA (Out of 7)", "Partition",
]  # fmt: skip
ANNOTATORS = 7
SIDE = 224  # pixels


class Row(NamedTuple):
    """One line of annotations.csv."""

    image: str
    label: int
    partition: str


def mhist(
    root: Path, download: bool, *, size: Count = SIDE, validation: int | None = None, groups: Groups = None
) -> Dataset:
    """ROOT/mhist (or ROOT/MHIST, or ROOT): annotations.csv and images/, resized to `size` pixels; its own partition.

    A tenth of the training images, or `validation` of them, is cut off to validate on.
    """
    base = _base(root)
    found = sorted(_rows(base / "annotations.csv"), key=lambda row: PARTITIONS.index(row.partition))
    count = Counter(row.partition for row in found)
    for partition in PARTITIONS:
        if absent := set(range(len(CLASSES))) - {row.label for row in found if row.partition == partition}:
            raise UserError(f"{base / 'annotations.csv'}: no image of {CLASSES[min(absent)]} in partition {partition}")
    _all_listed(base, {row.image for row in found})
    images = decoded(base, [f"images/{row.image}" for row in found], size, SIDE)
    labels, train = np.array([row.label for row in found], np.int64), count["train"]
    data = assemble(
        Split(images[:train], labels[:train]),
        Split(images[train:], labels[train:]),
        validation=train // 10 if validation is None else validation,
        classes=CLASSES,
        source=f"MHIST in its own partition, labelled by majority vote, {size} by {size} pixels; contents not verified",
        name="mhist",
    )
    return grouped(data, groups)


def _base(root: Path) -> Path:
    places = [root / "mhist", root / "MHIST", root]
    found = next((place for place in places if os.path.isfile(place / "annotations.csv")), None)
    if found is None:
        how = "or ask its authors for it: https://bmirds.github.io/MHIST"
        raise missing("mhist", "annotations.csv beside a folder images/", places, how)
    return found


def _all_listed(base: Path, listed: set[str]) -> None:
    """Raise UserError where an image has no line, so that a list that breaks off is no smaller data set."""
    for entry in entries(base / "images"):
        if entry.name not in listed and Path(entry.name).suffix.lower() in SUFFIXES:
            raise UserError(f"{base / 'annotations.csv'}: no line for {entry.name}, which lies in images/")


def _rows(path: Path) -> Iterator[Row]:
    """The lines of annotations.csv, each checked; a UserError names file and line."""
    lines = csv.reader(text(path).splitlines())
    seen: set[str] = set()
    try:
        if (header := next(lines, [])) != HEADER:
            raise UserError(f"{path}:1: found {','.join(header)}, expected {','.join(HEADER)}")
        for row in lines:
            if row:
                if fault := _fault(row, seen):
                    raise UserError(f"{path}:{lines.line_num}: {fault}")
                seen.add(row[0])
                yield Row(row[0], CLASSES.index(row[1]), row[3])
    except csv.Error as error:
        raise UserError(f"{path}:{lines.line_num}: no line of a table ({error})") from error


def _fault(row: list[str], seen: set[str]) -> str:
    """What is wrong with a line, or nothing."""
    if len(row) != len(HEADER):
        return f"{len(row)} columns, expected {len(HEADER)}"
    image, label, votes, partition = row
    if Path(image).name != image:
        return f"found {image!r}, expected the name of a file in images/"
    if image in seen:
        return f"{image} is listed more than once"
    if label not in CLASSES:
        return f"label {label}{nearest(label, CLASSES)}"
    if votes not in {str(number) for number in range(ANNOTATORS + 1)}:
        return f"{votes} annotators, expected 0 to {ANNOTATORS}"
    return "" if partition in PARTITIONS else f"partition {partition}{nearest(partition, PARTITIONS)}"
