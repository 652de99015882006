"""Class folders: the images of a folder, by class and part."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainables.data.dataset import UNLABELED
from trainables.data.image_file import IMAGE_SUFFIXES
from trainables.data.image_list import ALL, PART_NAMES, TRAIN, UNLABELED_PART, ImageList, skipped_note
from trainables.data.split_files import LabeledFiles
from trainables.data.text_files import is_directory, list_folder


class _Part(NamedTuple):
    """Files of one part: names by class, relative to the base."""

    classes: dict[str, list[str]]
    nested: int  # files in sub-folders of a class folder


class ClassFolders:
    """Reader of a folder with class folders, maybe in folders of parts."""

    def __init__(self, base: Path, deepest: bool) -> None:
        self._base, self._deepest = base, deepest
        self._problems: list[str] = []
        self._skipped: Counter[str] = Counter()

    def read(self) -> ImageList:
        """Return all files, problems and notes."""
        folders = [entry.name for entry in list_folder(self._base) if is_directory(entry)]
        unlabeled = [name for name in folders if PART_NAMES.get(name.lower()) == UNLABELED_PART]
        divided = self._part_folders([name for name in folders if name not in unlabeled])
        contents = {part: self._read_part(self._base / name) for part, name in divided.items()}
        if divided != {ALL: ""}:
            self._note_files_beside(self._base, "the class folders of its parts")
        classes = self._common_classes(contents, divided)
        files = {part: _labeled(content, classes) for part, content in contents.items()}
        if unlabeled:
            names = [name for folder in unlabeled for name in self._images_below(self._base / folder)]
            files[UNLABELED_PART] = LabeledFiles(names, np.full(len(names), UNLABELED, np.int64))
            if not names:
                self._problems.append(f"{self._base / unlabeled[0]}: no image; remove this folder, or add images")
        return ImageList(self._base, classes, files, tuple(self._problems), tuple(self._notes(contents, unlabeled)))

    def _notes(self, contents: dict[str, _Part], unlabeled: list[str]) -> Iterator[str]:
        if nested := sum(part.nested for part in contents.values()):
            yield f"{nested:,} lie in sub-folders of a class folder (data.classes: deepest makes each a class)"
        yield from skipped_note(self._skipped)

    def _part_folders(self, folders: Sequence[str]) -> dict[str, str]:
        """Return the folder of each part.

        It is `{ALL: ""}` for class folders at the top."""
        flat = {name for name in folders if PART_NAMES.get(name.lower()) and not self._has_folders(name)}
        named: defaultdict[str, list[str]] = defaultdict(list)
        for name in folders:
            if name.lower() in PART_NAMES and name not in flat:
                named[PART_NAMES[name.lower()]].append(name)
        if not named and not (folders and flat == set(folders)):
            return {ALL: ""}
        if not named:
            listed = ", ".join(sorted(flat))
            self._problems.append(f"{self._base}: found {listed}, but its images are not in class folders")
            return {}
        for name in sorted(flat):
            hint = "expected one folder for each class, or all in unlabeled/ to distil on them without labels"
            self._problems.append(f"{self._base / name}: images without class folders; {hint}")
        for name in folders:
            if name.lower() not in PART_NAMES:
                beside = ", ".join(sorted(folder for names in named.values() for folder in names))
                self._problems.append(f"{self._base / name}: a folder beside {beside}; move it elsewhere")
        for part, names in named.items():
            if len(names) > 1:
                self._problems.append(f"{self._base}: {' and '.join(names)} are both {part}; keep one of them")
        if TRAIN not in named and TRAIN not in {PART_NAMES[name.lower()] for name in flat}:
            present = ", ".join(sorted(name for name in folders if name.lower() in PART_NAMES))
            self._problems.append(f"{self._base}: found {present} but no train, expected train and test")
        return {part: names[0] for part, names in named.items()}

    def _has_folders(self, name: str) -> bool:
        return any(is_directory(entry) for entry in list_folder(self._base / name))

    def _read_part(self, folder: Path) -> _Part:
        """Return the files of each class; note problems of the part."""
        self._note_files_beside(folder, "the class folders")
        names = [entry.name for entry in list_folder(folder) if is_directory(entry)]
        names = [name for name in names if folder != self._base or PART_NAMES.get(name.lower()) != UNLABELED_PART]
        classes: dict[str, list[str]] = {}
        nested = 0
        for name in names:
            if not name.isprintable():
                self._problems.append(f"{folder}: {name!a} cannot be the name of a class: it is not printable text")
                continue
            images = self._images_below(folder / name)
            below = [image for image in images if Path(image).parent != (folder / name).relative_to(self._base)]
            nested += len(below)
            if self._deepest:
                for image in images:
                    parent = (self._base / image).parent.relative_to(folder).as_posix()
                    classes.setdefault(parent, []).append(image)
            else:
                classes[name] = images
            if not images:
                self._problems.append(f"{folder / name}: no image, expected files {', '.join(IMAGE_SUFFIXES)}")
        if len(classes) < 2:
            wrapped = f"; if its folders are the classes, name it in data.path or as {names[0]}" if nested else ""
            hint = f"expected at least two, one for each class{wrapped}"
            self._problems.append(f"{folder}: {len(classes)} sub-folders, {hint}")
        return _Part(classes, nested)

    def _note_files_beside(self, folder: Path, beside: str) -> None:
        """Count other files; an image there is a problem."""
        files = [entry.name for entry in list_folder(folder) if not is_directory(entry)]
        images = [name for name in files if _is_image(name)]
        if images:
            more = f" and {len(images) - 1:,} more" if len(images) > 1 else ""
            hint = f"an image beside {beside}{more}, expected it in one of them"
            self._problems.append(f"{folder / images[0]}: {hint}")
        self._skipped.update(Path(name).suffix.lower() for name in files if not _is_image(name))

    def _images_below(self, folder: Path) -> list[str]:
        """Return the images below a folder, in order; count other files."""
        images: list[str] = []
        visited: set[str] = set()

        def visit(place: Path) -> None:
            real = os.path.realpath(place)
            if real in visited:  # a link to a folder above
                return
            visited.add(real)
            entries = list_folder(place)
            for entry in entries:
                if is_directory(entry):
                    continue
                if _is_image(entry.name):
                    images.append(str((place / entry.name).relative_to(self._base)))
                else:
                    self._skipped[Path(entry.name).suffix.lower()] += 1
            for entry in entries:
                if is_directory(entry):
                    visit(place / entry.name)

        visit(folder)
        return images

    def _common_classes(self, contents: dict[str, _Part], divided: dict[str, str]) -> tuple[str, ...]:
        """Return the classes of the first part; others must have the same."""
        if not contents:
            return ()
        first = TRAIN if TRAIN in contents else next(iter(contents))
        classes = tuple(contents[first].classes)
        for part, content in contents.items():
            if differing := set(classes) ^ set(content.classes):
                listed = ", ".join(sorted(differing)[:5]) + (", …" if len(differing) > 5 else "")
                hint = f"other classes than {divided[first]} has: only one of them has {listed}"
                self._problems.append(f"{self._base / divided[part]}: {hint}")
        return classes


def _labeled(part: _Part, classes: Sequence[str]) -> LabeledFiles:
    pairs = [(name, label) for label, key in enumerate(classes) for name in part.classes.get(key, ())]
    return LabeledFiles.of_pairs(pairs)


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGE_SUFFIXES
