"""Tiny-ImageNet: photographs in up to 200 classes, 64 by 64."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import Field

from spaces.errors import UserError, did_you_mean
from trainables.data.archive import Archive, unpack_archive
from trainables.data.dataset import Dataset
from trainables.data.groups import Groups, group_classes
from trainables.data.image_cache import ImageLayout
from trainables.data.locations import missing_dataset
from trainables.data.split_files import LabeledFiles, cut_validation, decode_splits
from trainables.data.text_files import is_directory, list_folder, read_tab_rows
from trainables.declare import declare

SIDE_PIXELS = 64
IMAGE_SUFFIX = ".JPEG"
TINY_IMAGENET = Archive(
    "tiny-imagenet-200.zip",
    "tiny-imagenet-200",
    "90528d7ca1a48142e341f4ef8d21d0de",
    248_100_043,
    ("http://cs231n.stanford.edu/",),
)


@declare(paper='Le & Yang (2015), "Tiny ImageNet visual recognition challenge"')
def tiny_imagenet(
    root: Path,
    download: bool,
    *,
    classes: Annotated[int, Field(ge=2)] | None = None,
    validation: int | None = None,
    groups: Groups = None,
) -> Dataset:
    """Color photographs in up to 200 classes, 64 by 64 pixels.

    Reads the original layout in ROOT/tiny-imagenet-200, any ROOT/tiny-imagenet*, or ROOT itself. Classes are those of
    wnids.txt with a folder. Its official validation images are the test set, because the labels of its test images are
    not public.

    Args:
        classes: Number of classes, the first of wnids.txt; null uses all.
        validation: Training images that become the validation set, stratified; null takes a tenth.
        groups: Superclasses, each a list of class names, learned instead of the classes.
    """
    base = _tiny_imagenet_folder(root, download)
    listed = _listed_classes(base)
    selected = _selected_classes(base, listed, classes)
    train, test = _train_images(base, selected), _test_images(base, listed, selected)
    number = len(train) // 10 if validation is None else validation
    files = cut_validation(LabeledFiles.of_pairs(train), LabeledFiles.of_pairs(test), number)
    splits = decode_splits(base, files, ImageLayout(SIDE_PIXELS, expected=SIDE_PIXELS))
    source = f"{len(selected)} of Tiny-ImageNet's classes, tested on its validation images; contents not verified"
    words = _class_words(base, selected)
    return group_classes(Dataset(*splits, words, source, files.how, "tiny_imagenet"), groups)


def _tiny_imagenet_folder(root: Path, download: bool) -> Path:
    folders = (root / TINY_IMAGENET.folder, *sorted(root.glob("tiny-imagenet*")), root)
    base = next((folder for folder in folders if os.path.isfile(folder / "wnids.txt")), None)
    if base is None and not download:
        how = f"or fetch it ({TINY_IMAGENET.bytes // 10**6} MB; for research, not for profit) by --download"
        raise missing_dataset("tiny_imagenet", "wnids.txt", (root / TINY_IMAGENET.folder, root), how)
    return base or unpack_archive(root, TINY_IMAGENET)


def _listed_classes(base: Path) -> dict[str, int]:
    """Return the line number of each class in wnids.txt."""
    path, line_of = base / "wnids.txt", dict[str, int]()
    for number, (name,) in read_tab_rows(path, 1).items():
        if name in line_of:
            raise UserError(f"{path}:{number}: {name} is already on line {line_of[name]}")
        line_of[name] = number
    return line_of


def _selected_classes(base: Path, listed: dict[str, int], count: int | None) -> list[str]:
    """Return the first `count` listed classes with a folder."""
    folders = [entry.name for entry in list_folder(base / "train") if is_directory(entry)]
    if unlisted := [name for name in folders if name not in listed]:
        raise UserError(f"{base / 'train' / unlisted[0]}: not the folder of a class: wnids.txt does not list it")
    available = [name for name in listed if name in folders]
    if len(available) < max(2, count or 0):
        raise UserError(f"{base / 'train'}: {len(available)} classes of wnids.txt, expected at least {count or 2}")
    return available[:count]


def _train_images(base: Path, classes: list[str]) -> list[tuple[str, int]]:
    """Return path below the base and label of each training image."""
    images: list[tuple[str, int]] = []
    for label, name in enumerate(classes):
        folder = Path("train", name, "images")
        files = [entry.name for entry in list_folder(base / folder)]
        if unexpected := [file for file in files if not file.endswith(IMAGE_SUFFIX)]:
            raise UserError(f"{base / folder / unexpected[0]}: no image, expected a file *{IMAGE_SUFFIX}")
        if not files:
            raise UserError(f"{base / folder}: no image, expected files *{IMAGE_SUFFIX}")
        images += [(str(folder / file), label) for file in files]
    return images


def _test_images(base: Path, listed: dict[str, int], classes: list[str]) -> list[tuple[str, int]]:
    """Return path below the base and label of each test image."""
    path, label_of = base / "val" / "val_annotations.txt", {name: label for label, name in enumerate(classes)}
    class_of = _read_val_annotations(path, listed)
    for entry in list_folder(base / "val" / "images"):  # finds a truncated list, which would give a smaller test set
        if entry.name.endswith(IMAGE_SUFFIX) and entry.name not in class_of:
            raise UserError(f"{path}: no line for {entry.name}, which is in images/")
    images = [(f"val/images/{image}", label_of[name]) for image, name in sorted(class_of.items()) if name in label_of]
    if absent := set(label_of.values()) - {label for _, label in images}:
        raise UserError(f"{path}: lists no image of {classes[min(absent)]}")
    return images


def _read_val_annotations(path: Path, classes: dict[str, int]) -> dict[str, str]:
    """Return the class of each image in val_annotations.txt."""
    class_of: dict[str, str] = {}
    for number, (image, name, *_) in read_tab_rows(path, 6).items():
        if Path(image).name != image:
            raise UserError(f"{path}:{number}: found {image!r}, expected the name of a file in images/")
        if image in class_of:
            raise UserError(f"{path}:{number}: {image} is listed more than once")
        if name not in classes:
            raise UserError(f"{path}:{number}: {name} is no class of wnids.txt{did_you_mean(name, classes)[:200]}")
        class_of[image] = name
    return class_of


def _class_words(base: Path, classes: list[str]) -> tuple[str, ...]:
    """Return each class's first word in words.txt.

    Its number, if there is none or two classes share it.
    """
    path = base / "words.txt"
    rows = read_tab_rows(path, 2).values() if os.path.isfile(path) else ()
    words = {number: text.split(",")[0].strip() for number, text in rows}
    count = Counter(words.get(name) for name in classes)
    return tuple(words[name] if words.get(name) and count[words[name]] == 1 else name for name in classes)
