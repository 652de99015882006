"""A folder of your own images, with one sub-folder for each class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from spaces.disk import expand_path
from spaces.errors import UserError
from trainables.data.dataset import Dataset, Split
from trainables.data.groups import Groups, group_classes
from trainables.data.image_cache import ImageLayout, decode_images
from trainables.data.image_file import FULL_DEPTH, IMAGE_SUFFIXES
from trainables.data.image_scan import ImageScan, scan_images
from trainables.data.locations import missing_dataset
from trainables.data.stratified_split import split_off_validation, split_three_ways
from trainables.data.text_files import is_directory, list_folder
from trainables.knobs import Count

SplitShare = Annotated[float, Field(gt=0, lt=1)]
Channels = Literal[1, 3]
Depth = Annotated[int, Field(ge=8, le=FULL_DEPTH)]

SPLIT_FOLDERS = ("train", "val", "test")
DEFAULT_VALIDATION, DEFAULT_TEST = 0.1, 0.2  # shares of the images, if there is no val/ or test/


class ImageFormat(NamedTuple):
    """Requested size, channels and depth of the images."""

    size: int
    channels: int
    depth: int | None  # None for that of the images


def folder(
    root: Path,
    download: bool,
    *,
    path: str,
    size: Count = 64,
    channels: Channels = 3,
    depth: Depth | None = None,
    validation: SplitShare | None = None,
    test: SplitShare | None = None,
    groups: Groups = None,
) -> Dataset:
    """Your own images, one sub-folder for each class.

    `data: {name: folder, path: my/images, size: 64}`. The path holds CLASS/*, or train/CLASS/*, test/CLASS/* and
    optionally val/CLASS/*. The shorter side of an image is resized, then its center is cropped.

    Args:
        path: Folder of the images, below the data root or absolute.
        size: Width and height in pixels of the resized images.
        channels: Color channels, 3 for color or 1 for gray; the other kind of image is converted.
        depth: Bits used by gray levels of 16 bits; null takes the bits of the largest level of all images.
        validation: Share of the training images for validation; null takes a tenth. Not allowed beside val/.
        test: Share of all images for the test; null takes a fifth. Not allowed beside test/.
        groups: Superclasses, each a list of class names, learned instead of the classes.
    """
    base = root / expand_path(path)
    if not os.path.lexists(base):
        raise missing_dataset("folder", path, [base], "or put one sub-folder of images for each class there")
    parts = {entry.name for entry in list_folder(base) if is_directory(entry)}
    if parts and parts <= set(SPLIT_FOLDERS):
        data = _read_divided(base, parts, ImageFormat(size, channels, depth), validation, test)
    else:
        form = ImageFormat(size, channels, depth)
        data = _read_undivided(base, form, validation or DEFAULT_VALIDATION, test or DEFAULT_TEST)
    for part, split in zip(SPLIT_FOLDERS, data[:3], strict=True):
        if absent := set(range(len(data.classes))) - set(split.labels.tolist()):
            few = f"no image of class {data.classes[min(absent)]} is left in the {part} set"
            raise UserError(f"{base}: {few}; add images of it, or change the shares data.validation and data.test")
    return group_classes(data, groups)


def _read_undivided(base: Path, form: ImageFormat, validation: float, test: float) -> Dataset:
    """Read a folder of classes, and split it by the fixed seed."""
    classes, (images,), scan = _read_parts(base, [""], form)
    n = len(images.labels)
    n_test, n_val = round(test * n), round(validation * n)
    if not 0 < n_val < n - n_test or not n_test:
        raise UserError(f"{base}: {n} images are too few to take {n_test} to test and {n_val} to validate on")
    source = _folder_source(base, form.size)
    data = split_three_ways(images, n_val, n_test, classes=classes, source=source, name="folder")
    return _with_depth(data, form, scan)


def _read_divided(
    base: Path, parts: set[str], form: ImageFormat, validation: float | None, test: float | None
) -> Dataset:
    """Read a folder of train/, test/ and optionally val/, as they are."""
    if lacking := {"train", "test"} - parts:
        raise UserError(f"{base}: found {', '.join(sorted(parts))} but no {min(lacking)}, expected train and test")
    for knob, value, part in (("test", test, "test"), ("validation", validation, "val")):
        if value is not None and part in parts:
            raise UserError(f"data.{knob}: not allowed, because {base / part} exists; remove this key")
    classes, splits, scan = _read_parts(base, [part for part in SPLIT_FOLDERS if part in parts], form)
    source, train, test_split = _folder_source(base, form.size), splits[0], splits[-1]
    if "val" in parts:
        data = Dataset(train, splits[1], test_split, classes, source, "train, val and test as they are", "folder")
    else:
        n = round((validation or DEFAULT_VALIDATION) * len(train.labels))
        data = split_off_validation(train, test_split, validation=n, classes=classes, source=source, name="folder")
    return _with_depth(data, form, scan)


def _with_depth(data: Dataset, form: ImageFormat, scan: ImageScan) -> Dataset:
    """Add the bit depth, and notes on it and on gray images."""
    depth, notes = form.depth or scan.depth, list[str]()
    if scan.sixteen_bit:
        levels = f"{scan.sixteen_bit:,} have gray levels of 16 bits, up to {scan.largest:,}"
        notes.append(f"{levels}; the upper 8 of {depth} bits are kept (data.depth)")
    if form.channels == 3 and scan.gray == sum(data.sizes.values()):
        notes.append("all are gray and read as color; data.channels: 1 would read one channel")
    return data._replace(depth=depth, notes=tuple(notes))


def _folder_source(base: Path, size: int) -> str:
    return f"the images in a folder {base.name}, their middle {size} by {size} pixels; contents taken as they are"


def _read_parts(base: Path, parts: list[str], form: ImageFormat) -> tuple[tuple[str, ...], list[Split], ImageScan]:
    """Return the classes, the images of each part, and their scan.

    Raises UserError if the parts have different classes.
    """
    files_of = [_images_by_class(base / part) for part in parts]
    classes = tuple(files_of[0])
    for part, files in zip(parts, files_of, strict=True):
        if differing := set(classes) ^ set(files):
            raise UserError(f"{base / part}: other classes than {parts[0]} has: only one of them has {min(differing)}")
    names = [
        str(Path(part, label, name))
        for part, files in zip(parts, files_of, strict=True)
        for label in classes
        for name in files[label]
    ]
    scan = scan_images(base, names)
    if scan.unreadable:
        raise UserError("\n".join(f"{base / name}: {reason}" for name, reason in scan.unreadable.items()))
    pixels = decode_images(base, names, ImageLayout(form.size, form.channels, form.depth or scan.depth))
    counts = [[len(files[label]) for label in classes] for files in files_of]
    ends = np.cumsum([sum(count) for count in counts])
    labels = [np.repeat(np.arange(len(classes)), count) for count in counts]
    return classes, [Split(*pair) for pair in zip(np.split(pixels, ends[:-1]), labels, strict=True)], scan


def _images_by_class(base: Path) -> dict[str, list[str]]:
    """Return the image names of each class.

    Raises UserError for any other file, so that no image is left out unnoticed.
    """
    for entry in list_folder(base):
        if not is_directory(entry) and _lower_suffix(entry.name) in IMAGE_SUFFIXES:
            raise UserError(f"{entry.path}: an image beside the class folders, expected it in one of them")
    folders = [entry.name for entry in list_folder(base) if is_directory(entry)]
    if unprintable := [name for name in folders if not name.isprintable()]:
        raise UserError(f"{base}: {unprintable[0]!a} cannot be the name of a class: it is not printable text")
    files = {name: _image_names(base / name) for name in folders}
    if len(files) < 2:
        raise UserError(f"{base}: {len(files)} sub-folders, expected at least two, one for each class")
    return files


def _image_names(folder: Path) -> list[str]:
    entries = list_folder(folder)
    for entry in entries:
        if is_directory(entry):
            raise UserError(f"{entry.path}: a folder within a class, expected images")
        if _lower_suffix(entry.name) not in IMAGE_SUFFIXES:
            raise UserError(f"{entry.path}: not a supported image, expected {', '.join(IMAGE_SUFFIXES)}")
    if not entries:
        raise UserError(f"{folder}: no image, expected files {', '.join(IMAGE_SUFFIXES)}")
    return [entry.name for entry in entries]


def _lower_suffix(name: str) -> str:
    return Path(name).suffix.lower()
