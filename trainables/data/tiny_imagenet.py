"""Tiny-ImageNet: 64 by 64 photographs of up to 200 things, 500 each to train on (Le and Yang, 2015)."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from spaces.errors import UserError, did_you_mean
from trainables.data.archive import Archive, unpack_archive
from trainables.data.dataset import Dataset, Split
from trainables.data.groups import Groups, group_classes
from trainables.data.image_cache import decode_images
from trainables.data.locations import missing_dataset
from trainables.data.stratified_split import split_off_validation
from trainables.data.text_files import is_directory, list_folder, read_tab_rows

SIDE_PIXELS = 64  # pixels
IMAGE_SUFFIX = ".JPEG"
TINY_IMAGENET = Archive(
    "tiny-imagenet-200.zip",
    "tiny-imagenet-200",
    "90528d7ca1a48142e341f4ef8d21d0de",
    248_100_043,
    ("http://cs231n.stanford.edu/",),
)


def tiny_imagenet(
    root: Path,
    download: bool,
    *,
    classes: Annotated[int, Field(ge=2)] | None = None,
    validation: int | None = None,
    groups: Groups = None,
) -> Dataset:
    """The original layout in ROOT/tiny-imagenet-200, any ROOT/tiny-imagenet*, or ROOT itself, by its first `classes`.

    Classes are those of wnids.txt that have a folder. A tenth of the training images, or `validation` of them, is cut
    off to validate on; the official validation images, whose labels are public, are the test set.
    """
    base = _tiny_imagenet_folder(root, download)
    listed = _listed_classes(base)
    known = _selected_classes(base, listed, classes)
    train, test = _train_images(base, known), _test_images(base, listed, known)
    names = [name for name, _ in (*train, *test)]
    images = decode_images(base, names, SIDE_PIXELS, SIDE_PIXELS)
    labels = np.array([label for _, label in (*train, *test)], np.int64)
    data = split_off_validation(
        Split(images[: len(train)], labels[: len(train)]),
        Split(images[len(train) :], labels[len(train) :]),
        validation=len(train) // 10 if validation is None else validation,
        classes=_class_names(base, known),
        source=f"{len(known)} of Tiny-ImageNet's classes, tested on its validation images; contents not verified",
        name="tiny_imagenet",
    )
    return group_classes(data, groups)


def _tiny_imagenet_folder(root: Path, download: bool) -> Path:
    places = (root / TINY_IMAGENET.folder, *sorted(root.glob("tiny-imagenet*")), root)
    found = next((place for place in places if os.path.isfile(place / "wnids.txt")), None)
    if found is None and not download:
        how = f"or fetch it ({TINY_IMAGENET.size // 10**6} MB; for research, not for profit) by --download"
        raise missing_dataset("tiny_imagenet", "wnids.txt", (root / TINY_IMAGENET.folder, root), how)
    return found or unpack_archive(root, TINY_IMAGENET)


def _listed_classes(base: Path) -> dict[str, int]:
    """The classes of wnids.txt in its order, each with its line."""
    path, seen = base / "wnids.txt", dict[str, int]()
    for number, (name,) in read_tab_rows(path, 1).items():
        if name in seen:
            raise UserError(f"{path}:{number}: {name} stands on line {seen[name]} already")
        seen[name] = number
    return seen


def _selected_classes(base: Path, listed: dict[str, int], classes: int | None) -> list[str]:
    """The first so many of the listed classes, as far as they have a folder."""
    folders = [entry.name for entry in list_folder(base / "train") if is_directory(entry)]
    if odd := [name for name in folders if name not in listed]:
        raise UserError(f"{base / 'train' / odd[0]}: a folder of no class, for wnids.txt does not list it")
    found = [name for name in listed if name in folders]
    if len(found) < max(2, classes or 0):
        raise UserError(f"{base / 'train'}: {len(found)} classes of wnids.txt, expected at least {classes or 2}")
    return found[:classes]


def _train_images(base: Path, known: list[str]) -> list[tuple[str, int]]:
    """Names below the base and labels of all images to train on."""
    found: list[tuple[str, int]] = []
    for label, name in enumerate(known):
        folder = Path("train", name, "images")
        images = [entry.name for entry in list_folder(base / folder)]
        if odd := [image for image in images if not image.endswith(IMAGE_SUFFIX)]:
            raise UserError(f"{base / folder / odd[0]}: no image, expected a file *{IMAGE_SUFFIX}")
        if not images:
            raise UserError(f"{base / folder}: no image, expected files *{IMAGE_SUFFIX}")
        found += [(str(folder / image), label) for image in images]
    return found


def _test_images(base: Path, listed: dict[str, int], known: list[str]) -> list[tuple[str, int]]:
    """Names below the base and labels of the official validation images of these classes."""
    path, label_of = base / "val" / "val_annotations.txt", {name: label for label, name in enumerate(known)}
    class_of = _read_val_annotations(path, listed)
    for entry in list_folder(base / "val" / "images"):  # a list that breaks off is no smaller test set
        if entry.name.endswith(IMAGE_SUFFIX) and entry.name not in class_of:
            raise UserError(f"{path}: no line for {entry.name}, which lies in images/")
    found = [(f"val/images/{image}", label_of[name]) for image, name in sorted(class_of.items()) if name in label_of]
    if absent := set(label_of.values()) - {label for _, label in found}:
        raise UserError(f"{path}: lists no image of {known[min(absent)]}")
    return found


def _read_val_annotations(path: Path, classes: dict[str, int]) -> dict[str, str]:
    """The class of each image that val_annotations.txt lists."""
    found: dict[str, str] = {}
    for number, (image, name, *_) in read_tab_rows(path, 6).items():
        if Path(image).name != image:
            raise UserError(f"{path}:{number}: found {image!r}, expected the name of a file in images/")
        if image in found:
            raise UserError(f"{path}:{number}: {image} is listed more than once")
        if name not in classes:
            raise UserError(f"{path}:{number}: {name} is no class of wnids.txt{did_you_mean(name, classes)[:200]}")
        found[image] = name
    return found


def _class_names(base: Path, known: list[str]) -> tuple[str, ...]:
    """The first of each class's words, or its number where words.txt is absent or two classes share that word."""
    path = base / "words.txt"
    lines = read_tab_rows(path, 2).values() if os.path.isfile(path) else ()
    words = {number: text.split(",")[0].strip() for number, text in lines}
    count = Counter(words.get(name) for name in known)
    return tuple(words[name] if words.get(name) and count[words[name]] == 1 else name for name in known)
