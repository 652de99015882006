"""A folder, table or archive of your own images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from spaces.disk import expand_path
from spaces.errors import UserError
from trainables.data import folder_report
from trainables.data.class_folders import ClassFolders
from trainables.data.dataset import Dataset
from trainables.data.groups import Groups, group_classes
from trainables.data.image_cache import ImageLayout, UnreadableImagesError
from trainables.data.image_file import FULL_DEPTH
from trainables.data.image_list import (
    ALL,
    TEST,
    TRAIN,
    UNLABELED_PART,
    VAL,
    ImageList,
    decoder_problems,
)
from trainables.data.image_scan import ImageScan, scan_images
from trainables.data.image_table import TABLE_SUFFIXES, read_image_table
from trainables.data.locations import missing_dataset
from trainables.data.packed_folder import ARCHIVE_SUFFIXES, is_archive, unpack_folder
from trainables.data.split_files import LabeledFiles, SplitFiles, cut_validation, decode_splits
from trainables.data.stratified_split import SPLIT_SEED, draw_three_parts, stratified_split
from trainables.knobs import Count

SplitShare = Annotated[float, Field(gt=0, lt=1)]
Channels = Literal[1, 3]
Depth = Annotated[int, Field(ge=8, le=FULL_DEPTH)]

DEFAULT_VALIDATION, DEFAULT_TEST = 0.1, 0.2  # shares of the images, if there is no val/ or test/


class _Shares(NamedTuple):
    """Requested shares for validation and test, None for the default."""

    validation: float | None
    test: float | None


def folder(
    root: Path,
    download: bool,
    *,
    path: str,
    size: Count = 64,
    channels: Channels = 3,
    depth: Depth | None = None,
    classes: Literal["top", "deepest"] = "top",
    bad: Literal["error", "skip"] = "error",
    validation: SplitShare | None = None,
    test: SplitShare | None = None,
    groups: Groups = None,
) -> Dataset:
    """Your own images: class folders, a table, or an archive.

    `data: {name: folder, path: my/images, size: 64}`. The path holds CLASS/*, or train/CLASS/* with or without
    val/CLASS/* and test/CLASS/*, and in both cases maybe unlabeled/*. It may be a zip or tar of them, or a CSV or
    Parquet table of paths and labels. The shorter side of an image is resized, then its center is cropped.

    Args:
        path: Folder, table or archive of the images, below the data root or absolute.
        size: Width and height in pixels of the resized images.
        channels: Color channels, 3 for color or 1 for gray; the other kind of image is converted.
        depth: Bits used by gray levels of 16 bits; null takes the bits of the largest level of all images.
        classes: Folder that names the class of an image, the top one or the deepest, such as animals/cat.
        bad: Unreadable images end the search with an error, or are skipped and named in the protocol.
        validation: Share of the training images for validation; null takes a tenth. Not allowed beside val/.
        test: Share of all images for the test; null takes a fifth. Not allowed beside test/.
        groups: Superclasses, each a list of class names, learned instead of the classes.
    """
    images = _list_images(root / expand_path(path), path, classes == "deepest")
    scan = scan_images(images.base, images.names)
    shares = _Shares(validation, test)
    problems = [*_share_problems(images, shares), *images.problems, *decoder_problems(images.base, images.names)]
    if bad == "error":
        problems += folder_report.unreadable_lines(images, scan.unreadable)
    _raise_problems(problems)
    layout = ImageLayout(size, channels, depth or scan.depth)
    data = _read_images(images, scan, layout, shares, skip=bad == "skip")
    return group_classes(data, groups)


def _list_images(path: Path, shown: str, deepest: bool) -> ImageList:
    if not os.path.lexists(path):
        raise missing_dataset("folder", shown, [path], "or put one sub-folder of images for each class there")
    if not os.path.isfile(path):
        return ClassFolders(path, deepest).read()
    if path.suffix.lower() in TABLE_SUFFIXES:
        return read_image_table(path)
    if is_archive(path):
        return ClassFolders(unpack_folder(path), deepest).read()
    expected = ", ".join((*TABLE_SUFFIXES, *ARCHIVE_SUFFIXES))
    raise UserError(f"{path}: cannot be read (Not a directory); expected a folder, or a file {expected}")


def _share_problems(images: ImageList, shares: _Shares) -> Iterator[str]:
    """Yield shares of existing parts."""
    for knob, value, part in (("test", shares.test, TEST), ("validation", shares.validation, VAL)):
        if value is not None and part in images.parts:
            first = images.base / (images.parts[part].names or [part])[0]
            yield f"data.{knob}: not allowed, because {part} images exist, such as {first}; remove this key"


def _raise_problems(problems: list[str]) -> None:
    if problems:
        raise UserError("\n".join(dict.fromkeys(problems)))


def _read_images(images: ImageList, scan: ImageScan, layout: ImageLayout, shares: _Shares, *, skip: bool) -> Dataset:
    """Cut the files into splits and decode them."""
    left_out = dict(scan.unreadable)
    while True:
        files = _cut({part: content.without(left_out) for part, content in images.parts.items()}, images.base, shares)
        _raise_problems(folder_report.absent_class_lines(images.base, images.classes, files))
        try:
            splits = decode_splits(images.base, files, layout)
            break
        except UnreadableImagesError as error:
            if not skip:
                raise UserError("\n".join(folder_report.unreadable_lines(images, error.reasons))) from None
            left_out |= error.reasons
    base, side = images.base, layout.side
    source = f"the images in a folder {base.name}, their middle {side} by {side} pixels; contents taken as they are"
    notes = [
        *images.notes,
        *folder_report.skipped_lines(images, left_out),
        *_format_notes(scan, layout, len(images.names) - len(left_out)),
        *folder_report.small_class_note(images.classes, files.test.labels),
        *folder_report.equal_file_notes(files, scan.equal_files),
    ]
    names = tuple(tuple(part.names) for part in files[:3])
    return Dataset(*splits, images.classes, source, files.how, "folder", layout.depth, tuple(notes), names)


def _cut(parts: dict[str, LabeledFiles], base: Path, shares: _Shares) -> SplitFiles:
    """Return the splits; missing parts are cut by the fixed seed."""
    unlabeled = parts.get(UNLABELED_PART)
    files = _cut_labeled(parts, base, shares)
    if unlabeled is None or not unlabeled.names:
        return files
    how = f"{files.how}; {len(unlabeled.names):,} more training images are unlabeled, for the teacher's term alone"
    return files._replace(train=files.train.followed_by(unlabeled), how=how)


def _cut_labeled(parts: dict[str, LabeledFiles], base: Path, shares: _Shares) -> SplitFiles:
    validation, test = shares.validation or DEFAULT_VALIDATION, shares.test or DEFAULT_TEST
    train = parts[TRAIN] if TRAIN in parts else parts[ALL]
    n = len(train.names)
    if VAL in parts and TEST in parts:
        return SplitFiles(train, parts[VAL], parts[TEST], "train, val and test as they are")
    if TEST in parts:
        n_val = round(validation * n)
        _refuse_too_few(base, n, n_val, 1)
        return cut_validation(train, parts[TEST], n_val)
    n_test = round(test * n)
    if VAL in parts:
        _refuse_too_few(base, n, 1, n_test)
        rest, test_indices = stratified_split(train.labels, n_test, SPLIT_SEED)
        how = f"{n_test:,} of {n:,} training images are the test set, stratified, seed {SPLIT_SEED}; val as it is"
        return SplitFiles(train.at(rest), parts[VAL], train.at(test_indices), how)
    n_val = round(validation * n)
    _refuse_too_few(base, n, n_val, n_test)
    drawn = draw_three_parts(train.labels, n_val, n_test)
    return SplitFiles(train.at(drawn.train), train.at(drawn.val), train.at(drawn.test), drawn.how)


def _refuse_too_few(base: Path, images: int, n_val: int, n_test: int) -> None:
    if not 0 < n_val < images - n_test or not n_test:
        raise UserError(f"{base}: {images} images are too few to take {n_test} to test and {n_val} to validate on")


def _format_notes(scan: ImageScan, layout: ImageLayout, images: int) -> Iterator[str]:
    """Yield notes on the bit depth and on gray images."""
    if scan.sixteen_bit:
        levels = f"{scan.sixteen_bit:,} have gray levels of 16 bits, up to {scan.largest:,}"
        yield f"{levels}; the upper 8 of {layout.depth} bits are kept (data.depth)"
    if layout.channels == 3 and scan.gray == images:
        yield "all are gray and read as color; data.channels: 1 would read one channel"
