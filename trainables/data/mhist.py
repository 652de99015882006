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

from spaces.errors import UserError, did_you_mean
from trainables.data.dataset import Dataset, Split
from trainables.data.groups import Groups, group_classes
from trainables.data.image_cache import decode_images
from trainables.data.image_file import IMAGE_SUFFIXES
from trainables.data.locations import missing_dataset
from trainables.data.stratified_split import split_off_validation
from trainables.data.text_files import list_folder, read_text
from trainables.knobs import Count

MHIST_CLASSES = ("HP", "SSA")
PARTITIONS = ("train", "test")
HEADER = [
    "Image Name", "Majority Vote Label", "Number of Annotators who Selected SSA (Out of 7)", "Partition",
]  # fmt: skip
ANNOTATORS = 7
SIDE_PIXELS = 224  # pixels


class Annotation(NamedTuple):
    """One line of annotations.csv."""

    image: str
    label: int
    partition: str


def mhist(
    root: Path, download: bool, *, size: Count = SIDE_PIXELS, validation: int | None = None, groups: Groups = None
) -> Dataset:
    """ROOT/mhist (or ROOT/MHIST, or ROOT): annotations.csv and images/, resized to `size` pixels; its own partition.

    A tenth of the training images, or `validation` of them, is cut off to validate on.
    """
    base = _mhist_folder(root)
    found = sorted(_read_annotations(base / "annotations.csv"), key=lambda row: PARTITIONS.index(row.partition))
    count = Counter(row.partition for row in found)
    for partition in PARTITIONS:
        if absent := set(range(len(MHIST_CLASSES))) - {row.label for row in found if row.partition == partition}:
            raise UserError(
                f"{base / 'annotations.csv'}: no image of {MHIST_CLASSES[min(absent)]} in partition {partition}"
            )
    _check_all_listed(base, {row.image for row in found})
    images = decode_images(base, [f"images/{row.image}" for row in found], size, SIDE_PIXELS)
    labels, train = np.array([row.label for row in found], np.int64), count["train"]
    data = split_off_validation(
        Split(images[:train], labels[:train]),
        Split(images[train:], labels[train:]),
        validation=train // 10 if validation is None else validation,
        classes=MHIST_CLASSES,
        source=f"MHIST in its own partition, labelled by majority vote, {size} by {size} pixels; contents not verified",
        name="mhist",
    )
    return group_classes(data, groups)


def _mhist_folder(root: Path) -> Path:
    places = [root / "mhist", root / "MHIST", root]
    found = next((place for place in places if os.path.isfile(place / "annotations.csv")), None)
    if found is None:
        how = "or ask its authors for it: https://bmirds.github.io/MHIST"
        raise missing_dataset("mhist", "annotations.csv beside a folder images/", places, how)
    return found


def _check_all_listed(base: Path, listed: set[str]) -> None:
    """Raise UserError where an image has no line, so that a list that breaks off is no smaller data set."""
    for entry in list_folder(base / "images"):
        if entry.name not in listed and Path(entry.name).suffix.lower() in IMAGE_SUFFIXES:
            raise UserError(f"{base / 'annotations.csv'}: no line for {entry.name}, which lies in images/")


def _read_annotations(path: Path) -> Iterator[Annotation]:
    """The lines of annotations.csv, each checked; a UserError names file and line."""
    lines = csv.reader(read_text(path).splitlines())
    seen: set[str] = set()
    try:
        if (header := next(lines, [])) != HEADER:
            raise UserError(f"{path}:1: found {','.join(header)}, expected {','.join(HEADER)}")
        for row in lines:
            if row:
                if fault := _annotation_error(row, seen):
                    raise UserError(f"{path}:{lines.line_num}: {fault}")
                seen.add(row[0])
                yield Annotation(row[0], MHIST_CLASSES.index(row[1]), row[3])
    except csv.Error as error:
        raise UserError(f"{path}:{lines.line_num}: no line of a table ({error})") from error


def _annotation_error(row: list[str], seen: set[str]) -> str:
    """What is wrong with a line, or nothing."""
    if len(row) != len(HEADER):
        return f"{len(row)} columns, expected {len(HEADER)}"
    image, label, votes, partition = row
    if Path(image).name != image:
        return f"found {image!r}, expected the name of a file in images/"
    if image in seen:
        return f"{image} is listed more than once"
    if label not in MHIST_CLASSES:
        return f"label {label}{did_you_mean(label, MHIST_CLASSES)}"
    if votes not in {str(number) for number in range(ANNOTATORS + 1)}:
        return f"{votes} annotators, expected 0 to {ANNOTATORS}"
    return "" if partition in PARTITIONS else f"partition {partition}{did_you_mean(partition, PARTITIONS)}"
