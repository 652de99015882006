"""Tiny-ImageNet: 64 by 64 photographs of up to 200 things, 500 each to train on (Le and Yang, 2015)."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from spaces.errors import UserError
from trainables.data.archive import Archive, unpack
from trainables.data.cut import assemble
from trainables.data.dataset import Dataset, Split
from trainables.data.decoded import decoded
from trainables.data.groups import Groups, grouped
from trainables.data.lines import entries, rows
from trainables.data.root import missing

SIDE = 64  # pixels
SUFFIX = ".JPEG"
ARCHIVE = Archive(
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
    base = _base(root, download)
    known = _known(base, classes)
    train, test = _train(base, known), _test(base, known)
    names = [name for name, _ in (*train, *test)]
    images = decoded(base, names, SIDE, SIDE)
    labels = np.array([label for _, label in (*train, *test)], np.int64)
    data = assemble(
        Split(images[: len(train)], labels[: len(train)]),
        Split(images[len(train) :], labels[len(train) :]),
        validation=len(train) // 10 if validation is None else validation,
        classes=_words(base, known),
        source=f"{len(known)} of Tiny-ImageNet's classes, tested on its validation images; contents not verified",
        name="tiny_imagenet",
    )
    return grouped(data, groups)


def _base(root: Path, download: bool) -> Path:
    places = (root / ARCHIVE.folder, *sorted(root.glob("tiny-imagenet*")), root)
    found = next((place for place in places if os.path.isfile(place / "wnids.txt")), None)
    if found is None and not download:
        how = f"or fetch it ({ARCHIVE.size // 10**6} MB; for research, not for profit) by --download"
        raise missing("tiny_imagenet", "wnids.txt", (root / ARCHIVE.folder, root), how)
    return found or unpack(root, ARCHIVE)


def _known(base: Path, classes: int | None) -> list[str]:
    """The first so many classes of wnids.txt, as far as they have a folder, in its order."""
    listed = [name for (name,) in rows(base / "wnids.txt", 1)]
    folders = {entry.name for entry in entries(base / "train") if entry.is_dir()}
    for name in (*listed, *sorted(folders)):
        if listed.count(name) != 1:
            raise UserError(f"{base / 'wnids.txt'}: lists {name} {listed.count(name)} times, expected once")
    found = [name for name in listed if name in folders]
    if len(found) < max(2, classes or 0):
        raise UserError(f"{base / 'train'}: {len(found)} classes of wnids.txt, expected at least {classes or 2}")
    return found[:classes]


def _train(base: Path, known: list[str]) -> list[tuple[str, int]]:
    """Names below the base and labels of all images to train on."""
    found: list[tuple[str, int]] = []
    for label, name in enumerate(known):
        folder = Path("train", name, "images")
        images = sorted(entry.name for entry in entries(base / folder) if entry.name.endswith(SUFFIX))
        if not images:
            raise UserError(f"{base / folder}: no image, expected files *{SUFFIX}")
        found += [(str(folder / image), label) for image in images]
    return found


def _test(base: Path, known: list[str]) -> list[tuple[str, int]]:
    """Names below the base and labels of the official validation images of these classes."""
    path, label_of = base / "val" / "val_annotations.txt", {name: label for label, name in enumerate(known)}
    listed = [(image, name) for image, name, *_ in rows(path, 6)]
    if twice := [image for image, n in Counter(image for image, _ in listed).items() if n > 1]:
        raise UserError(f"{path}: lists {twice[0]} more than once")
    if odd := [image for image, _ in listed if Path(image).name != image]:
        raise UserError(f"{path}: found {odd[0]}, expected the name of a file in images/")
    found = [(f"val/images/{image}", label_of[name]) for image, name in sorted(listed) if name in label_of]
    if absent := set(label_of.values()) - {label for _, label in found}:
        raise UserError(f"{path}: lists no image of {known[min(absent)]}")
    return found


def _words(base: Path, known: list[str]) -> tuple[str, ...]:
    """The first of each class's words, or its number where words.txt is absent or two classes share that word."""
    path = base / "words.txt"
    words = {number: text.split(",")[0].strip() for number, text in rows(path, 2)} if os.path.isfile(path) else {}
    count = Counter(words.get(name) for name in known)
    return tuple(words[name] if words.get(name) and count[words[name]] == 1 else name for name in known)
