"""A folder of one's own images, one sub-folder for each class: `data: {name: folder, path: my/images, size: 64}`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from spaces.errors import UserError
from trainables.data.cut import assemble, divide
from trainables.data.dataset import Dataset, Split
from trainables.data.decoded import decoded
from trainables.data.groups import Groups, grouped
from trainables.data.images import SUFFIXES
from trainables.data.lines import entries, is_folder
from trainables.data.root import expanded, missing
from trainables.knobs import Count

Share = Annotated[float, Field(gt=0, lt=1)]

PARTS = ("train", "val", "test")
VALIDATION, TEST = 0.1, 0.2  # of the images, where the folder has no val/ or test/ and the knobs say nothing


def folder(
    root: Path,
    download: bool,
    *,
    path: str,
    size: Count = 64,
    validation: Share | None = None,
    test: Share | None = None,
    groups: Groups = None,
) -> Dataset:
    """Images in color under `path`, below ROOT or absolute: CLASS/*, or train/CLASS/*, test/CLASS/* and maybe val/.

    Shorter sides are resized to `size` pixels, then the centre is cut out. Without val/ a tenth of the training images,
    or the share `validation`, is cut off; without train/ and test/ a fifth of all, or the share `test`, as well.
    """
    base = root / expanded(path)
    if not os.path.lexists(base):
        raise missing("folder", path, [base], "or put one sub-folder of images for each class there")
    parts = {entry.name for entry in entries(base) if is_folder(entry)}
    if parts and parts <= set(PARTS):
        data = _divided(base, parts, size, validation, test)
    else:
        data = _whole(base, size, validation or VALIDATION, test or TEST)
    for part, split in zip(PARTS, data[:3], strict=True):
        if absent := set(range(len(data.classes))) - set(split.labels.tolist()):
            few = f"no image of class {data.classes[min(absent)]} is left in the {part} set"
            raise UserError(f"{base}: {few}; add images of it, or change the shares data.validation and data.test")
    return grouped(data, groups)


def _whole(base: Path, size: int, validation: float, test: float) -> Dataset:
    """A folder of classes alone, divided by the fixed seed."""
    classes, (split,) = _read(base, [""], size)
    n = len(split.labels)
    tested, validated = round(test * n), round(validation * n)
    if not 0 < validated < n - tested or not tested:
        raise UserError(f"{base}: {n} images are too few to take {tested} to test and {validated} to validate on")
    return divide(split, validated, tested, classes=classes, source=_source(base, size), name="folder")


def _divided(base: Path, parts: set[str], size: int, validation: float | None, test: float | None) -> Dataset:
    """A folder of train/, test/ and maybe val/, which are taken as they are."""
    if lacking := {"train", "test"} - parts:
        raise UserError(f"{base}: found {', '.join(sorted(parts))} but no {min(lacking)}, expected train and test")
    for knob, value, part in (("test", test, "test"), ("validation", validation, "val")):
        if value is not None and part in parts:
            raise UserError(f"data.{knob}: nothing is cut off, for {base / part} is there; remove this key")
    classes, splits = _read(base, [part for part in PARTS if part in parts], size)
    source, train = _source(base, size), splits[0]
    if "val" in parts:
        val, tested = splits[1:]
        return Dataset(train, val, tested, classes, source, "train, val and test as they are", "folder")
    n = round((validation or VALIDATION) * len(train.labels))
    return assemble(train, splits[1], validation=n, classes=classes, source=source, name="folder")


def _source(base: Path, size: int) -> str:
    return f"the images in a folder {base.name}, their middle {size} by {size} pixels; contents taken as they are"


def _read(base: Path, parts: list[str], size: int) -> tuple[tuple[str, ...], list[Split]]:
    """The classes, which must be the same in every part, and the parts' images, decoded together."""
    listed = [_classes(base / part) for part in parts]
    classes = tuple(listed[0])
    for part, found in zip(parts, listed, strict=True):
        if odd := set(classes) ^ set(found):
            raise UserError(f"{base / part}: other classes than {parts[0]} has: {min(odd)} is only in one of them")
    names = [
        str(Path(part, label, name))
        for part, found in zip(parts, listed, strict=True)
        for label in classes
        for name in found[label]
    ]
    pixels = decoded(base, names, size)
    counts = [[len(found[label]) for label in classes] for found in listed]
    ends = np.cumsum([sum(each) for each in counts])
    labels = [np.repeat(np.arange(len(classes)), each) for each in counts]
    return classes, [Split(*pair) for pair in zip(np.split(pixels, ends[:-1]), labels, strict=True)]


def _classes(base: Path) -> dict[str, list[str]]:
    """Names of the images of each class; a UserError for what is neither, so that no image is left out in silence."""
    for entry in entries(base):
        if not is_folder(entry) and _suffix(entry.name) in SUFFIXES:
            raise UserError(f"{entry.path}: an image beside the classes, expected it in the folder of one")
    folders = [entry.name for entry in entries(base) if is_folder(entry)]
    if odd := [name for name in folders if not name.isprintable()]:
        raise UserError(f"{base}: {odd[0]!a} cannot be the name of a class, it is no printable text")
    found = {name: _images(base / name) for name in folders}
    if len(found) < 2:
        raise UserError(f"{base}: {len(found)} sub-folders, expected at least two, one for each class")
    return found


def _images(folder: Path) -> list[str]:
    found = entries(folder)
    for entry in found:
        if is_folder(entry):
            raise UserError(f"{entry.path}: a folder within a class, expected images")
        if _suffix(entry.name) not in SUFFIXES:
            raise UserError(f"{entry.path}: no known kind of image, expected {', '.join(SUFFIXES)}")
    if not found:
        raise UserError(f"{folder}: no image, expected files {', '.join(SUFFIXES)}")
    return [entry.name for entry in found]


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()
