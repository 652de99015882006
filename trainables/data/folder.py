"""A folder of one's own images, one sub-folder for each class: `data: {name: folder, path: my/images, size: 64}`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from spaces.errors import UserError
from trainables.data.dataset import Dataset, Split
from trainables.data.groups import Groups, group_classes
from trainables.data.image_cache import decode_images
from trainables.data.image_file import IMAGE_SUFFIXES
from trainables.data.locations import expand_path, missing_dataset
from trainables.data.stratified_split import split_off_validation, split_three_ways
from trainables.data.text_files import is_directory, list_folder
from trainables.knobs import Count

SplitShare = Annotated[float, Field(gt=0, lt=1)]

SPLIT_FOLDERS = ("train", "val", "test")
DEFAULT_VALIDATION, DEFAULT_TEST = (
    0.1,
    0.2,
)  # of the images, where the folder has no val/ or test/ and the knobs say nothing


def folder(
    root: Path,
    download: bool,
    *,
    path: str,
    size: Count = 64,
    validation: SplitShare | None = None,
    test: SplitShare | None = None,
    groups: Groups = None,
) -> Dataset:
    """Images in color under `path`, below ROOT or absolute: CLASS/*, or train/CLASS/*, test/CLASS/* and maybe val/.

    Shorter sides are resized to `size` pixels, then the centre is cut out. Without val/ a tenth of the training images,
    or the share `validation`, is cut off; without train/ and test/ a fifth of all, or the share `test`, as well.
    """
    base = root / expand_path(path)
    if not os.path.lexists(base):
        raise missing_dataset("folder", path, [base], "or put one sub-folder of images for each class there")
    parts = {entry.name for entry in list_folder(base) if is_directory(entry)}
    if parts and parts <= set(SPLIT_FOLDERS):
        data = _read_divided(base, parts, size, validation, test)
    else:
        data = _read_undivided(base, size, validation or DEFAULT_VALIDATION, test or DEFAULT_TEST)
    for part, split in zip(SPLIT_FOLDERS, data[:3], strict=True):
        if absent := set(range(len(data.classes))) - set(split.labels.tolist()):
            few = f"no image of class {data.classes[min(absent)]} is left in the {part} set"
            raise UserError(f"{base}: {few}; add images of it, or change the shares data.validation and data.test")
    return group_classes(data, groups)


def _read_undivided(base: Path, size: int, validation: float, test: float) -> Dataset:
    """A folder of classes alone, divided by the fixed seed."""
    classes, (split,) = _read_parts(base, [""], size)
    n = len(split.labels)
    tested, validated = round(test * n), round(validation * n)
    if not 0 < validated < n - tested or not tested:
        raise UserError(f"{base}: {n} images are too few to take {tested} to test and {validated} to validate on")
    return split_three_ways(split, validated, tested, classes=classes, source=_folder_source(base, size), name="folder")


def _read_divided(base: Path, parts: set[str], size: int, validation: float | None, test: float | None) -> Dataset:
    """A folder of train/, test/ and maybe val/, which are taken as they are."""
    if lacking := {"train", "test"} - parts:
        raise UserError(f"{base}: found {', '.join(sorted(parts))} but no {min(lacking)}, expected train and test")
    for knob, value, part in (("test", test, "test"), ("validation", validation, "val")):
        if value is not None and part in parts:
            raise UserError(f"data.{knob}: nothing is cut off, for {base / part} is there; remove this key")
    classes, splits = _read_parts(base, [part for part in SPLIT_FOLDERS if part in parts], size)
    source, train = _folder_source(base, size), splits[0]
    if "val" in parts:
        val, tested = splits[1:]
        return Dataset(train, val, tested, classes, source, "train, val and test as they are", "folder")
    n = round((validation or DEFAULT_VALIDATION) * len(train.labels))
    return split_off_validation(train, splits[1], validation=n, classes=classes, source=source, name="folder")


def _folder_source(base: Path, size: int) -> str:
    return f"the images in a folder {base.name}, their middle {size} by {size} pixels; contents taken as they are"


def _read_parts(base: Path, parts: list[str], size: int) -> tuple[tuple[str, ...], list[Split]]:
    """The classes, which must be the same in every part, and the parts' images, decoded together."""
    listed = [_images_by_class(base / part) for part in parts]
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
    pixels = decode_images(base, names, size)
    counts = [[len(found[label]) for label in classes] for found in listed]
    ends = np.cumsum([sum(each) for each in counts])
    labels = [np.repeat(np.arange(len(classes)), each) for each in counts]
    return classes, [Split(*pair) for pair in zip(np.split(pixels, ends[:-1]), labels, strict=True)]


def _images_by_class(base: Path) -> dict[str, list[str]]:
    """Names of the images of each class; a UserError for what is neither, so that no image is left out in silence."""
    for entry in list_folder(base):
        if not is_directory(entry) and _lower_suffix(entry.name) in IMAGE_SUFFIXES:
            raise UserError(f"{entry.path}: an image beside the classes, expected it in the folder of one")
    folders = [entry.name for entry in list_folder(base) if is_directory(entry)]
    if odd := [name for name in folders if not name.isprintable()]:
        raise UserError(f"{base}: {odd[0]!a} cannot be the name of a class, it is no printable text")
    found = {name: _image_names(base / name) for name in folders}
    if len(found) < 2:
        raise UserError(f"{base}: {len(found)} sub-folders, expected at least two, one for each class")
    return found


def _image_names(folder: Path) -> list[str]:
    found = list_folder(folder)
    for entry in found:
        if is_directory(entry):
            raise UserError(f"{entry.path}: a folder within a class, expected images")
        if _lower_suffix(entry.name) not in IMAGE_SUFFIXES:
            raise UserError(f"{entry.path}: no known kind of image, expected {', '.join(IMAGE_SUFFIXES)}")
    if not found:
        raise UserError(f"{folder}: no image, expected files {', '.join(IMAGE_SUFFIXES)}")
    return [entry.name for entry in found]


def _lower_suffix(name: str) -> str:
    return Path(name).suffix.lower()
