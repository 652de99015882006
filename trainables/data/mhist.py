"""MHIST: 3,152 images of colorectal polyps, 224 by 224.

The classes are hyperplastic (HP) and sessile serrated (SSA). The authors provide the images on request, for research;
they may not be redistributed.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from spaces.errors import UserError, did_you_mean
from trainables.data.dataset import Dataset
from trainables.data.groups import Groups, group_classes
from trainables.data.image_cache import ImageLayout
from trainables.data.image_file import IMAGE_SUFFIXES
from trainables.data.locations import missing_dataset
from trainables.data.split_files import LabeledFiles, cut_validation, decode_splits
from trainables.data.text_files import list_folder, read_text_file
from trainables.declare import declare
from trainables.knobs import Count

MHIST_CLASSES = ("HP", "SSA")
PARTITIONS = ("train", "test")
HEADER = [
    "Image Name", "Majority Vote Label", "Number of Annotators who Selected SSA (Out of 7)", "Partition",
]  # fmt: skip
ANNOTATORS = 7
SIDE_PIXELS = 224


class Annotation(NamedTuple):
    """One line of annotations.csv."""

    image: str
    label: int
    partition: str


@declare(paper='Wei et al. (2021), "A petri dish for histopathology image analysis"')
def mhist(
    root: Path, download: bool, *, size: Count = SIDE_PIXELS, validation: int | None = None, groups: Groups = None
) -> Dataset:
    """3,152 images of colorectal polyps in two classes, 224 by 224.

    Reads annotations.csv and images/ in ROOT/mhist, ROOT/MHIST or ROOT. Training and test images are those of its own
    partition.

    Args:
        size: Width and height in pixels to which images are resized.
        validation: Training images that become the validation set, stratified; null takes a tenth.
        groups: Superclasses, each a list of class names, learned instead of the classes.
    """
    base = _mhist_folder(root)
    table = base / "annotations.csv"
    rows = sorted(_read_annotations(table), key=lambda row: PARTITIONS.index(row.partition))
    for partition in PARTITIONS:
        if absent := set(range(len(MHIST_CLASSES))) - {row.label for row in rows if row.partition == partition}:
            raise UserError(f"{table}: no image of {MHIST_CLASSES[min(absent)]} in partition {partition}")
    _check_all_listed(base, {row.image for row in rows})
    train, test = (
        LabeledFiles.of_pairs([(f"images/{row.image}", row.label) for row in rows if row.partition == partition])
        for partition in PARTITIONS
    )
    files = cut_validation(train, test, len(train.names) // 10 if validation is None else validation)
    splits = decode_splits(base, files, ImageLayout(size, expected=SIDE_PIXELS))
    source = f"MHIST in its own partition, labeled by majority vote, {size} by {size} pixels; contents not verified"
    return group_classes(Dataset(*splits, MHIST_CLASSES, source, files.how, "mhist"), groups)


def _mhist_folder(root: Path) -> Path:
    folders = [root / "mhist", root / "MHIST", root]
    base = next((folder for folder in folders if os.path.isfile(folder / "annotations.csv")), None)
    if base is None:
        how = "or request it from its authors: https://bmirds.github.io/MHIST"
        raise missing_dataset("mhist", "annotations.csv beside a folder images/", folders, how)
    return base


def _check_all_listed(base: Path, listed: set[str]) -> None:
    """Raise UserError for an image without a line.

    A truncated list would otherwise give a smaller data set.
    """
    for entry in list_folder(base / "images"):
        if entry.name not in listed and Path(entry.name).suffix.lower() in IMAGE_SUFFIXES:
            raise UserError(f"{base / 'annotations.csv'}: no line for {entry.name}, which is in images/")


def _read_annotations(path: Path) -> Iterator[Annotation]:
    """Yield the checked lines of annotations.csv; raise UserError with file and line."""
    lines = csv.reader(read_text_file(path).splitlines())
    images: set[str] = set()
    try:
        if (header := next(lines, [])) != HEADER:
            raise UserError(f"{path}:1: found {','.join(header)}, expected {','.join(HEADER)}")
        for row in lines:
            if row:
                if error := _annotation_error(row, images):
                    raise UserError(f"{path}:{lines.line_num}: {error}")
                images.add(row[0])
                yield Annotation(row[0], MHIST_CLASSES.index(row[1]), row[3])
    except csv.Error as error:
        raise UserError(f"{path}:{lines.line_num}: not a line of a table ({error})") from error


def _annotation_error(row: list[str], images: set[str]) -> str:
    """Return the error in a line, or an empty string."""
    if len(row) != len(HEADER):
        return f"{len(row)} columns, expected {len(HEADER)}"
    image, label, votes, partition = row
    if Path(image).name != image:
        return f"found {image!r}, expected the name of a file in images/"
    if image in images:
        return f"{image} is listed more than once"
    if label not in MHIST_CLASSES:
        return f"label {label}{did_you_mean(label, MHIST_CLASSES)}"
    if votes not in {str(number) for number in range(ANNOTATORS + 1)}:
        return f"{votes} annotators, expected 0 to {ANNOTATORS}"
    return "" if partition in PARTITIONS else f"partition {partition}{did_you_mean(partition, PARTITIONS)}"
