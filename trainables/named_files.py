"""Files named by a recipe: weights, and values of a plugin's knobs.

Their content decides a result, so their digests are part of a teacher's key and of an experiment's identity.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spaces.disk import expand_path
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.models.onnx import external_files
from trainables.weights.initial import published_weight_files
from trainables.weights.published import file_sha256

# Sections without file names: the images have a fingerprint of their own.
SECTIONS_WITHOUT_FILES = {"data", "train", "seed"}
FOLDER_MARK = "/"  # end of a folder's own entry


def named_file_digests(section: Any) -> dict[str, str]:
    """Return the SHA-256 of each file named in a section.

    The keys are the texts in the section. Every string that is the path of a file counts, and of a folder all
    files in it. The values of `name` do not. A folder has an entry of its own, `FOLDER/`, for the names of its files.
    """
    digests: dict[str, str] = {}
    for text in dict.fromkeys(_texts(section)):
        root = expand_path(text)
        files = list(_files_at(root))
        digests |= {_shown_name(text, root, path): file_sha256(path) for path in files}
        if files and root not in files:
            digests[f"{Path(text)}{FOLDER_MARK}"] = _listing_digest(root, files)
    return digests


def _listing_digest(folder: Path, files: list[Path]) -> str:
    """Return the SHA-256 of the names of a folder's files."""
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _shown_name(text: str, root: Path, path: Path) -> str:
    """Return the name of a file at or beside `root`, which is `text` in the recipe."""
    if path == root:
        return text
    return str(Path(text, path.relative_to(root)) if root in path.parents else Path(text).with_name(path.name))


def recipe_file_digests(recipe: Recipe, data: Dataset) -> dict[str, str]:
    """Return the digest of each file used by student and teachers.

    Published weights are listed by their network, because a file published later has another name. Raises UserError for
    a file that cannot be read.
    """
    digests = named_file_digests(recipe.model_dump())
    for part in _with_teachers(recipe):
        files = published_weight_files(part, data)
        digests |= {f"imagenet weights of {name}": file_sha256(path) for name, path in files.items()}
    return digests


def _with_teachers(recipe: Recipe) -> Iterator[Recipe]:
    """Yield a recipe, those of its teachers, of their teachers, …"""
    yield recipe
    for teacher in recipe.teacher_recipes():
        yield from _with_teachers(teacher)


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in SECTIONS_WITHOUT_FILES and key != "name":
                yield from _texts(value)
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _texts(item)
    elif isinstance(node, str) and node:
        yield node


def _files_at(path: Path) -> Iterator[Path]:
    """Yield the file, or the files in the folder, at a path.

    Large weights of an ONNX network are in files beside it.
    """
    if os.path.isfile(path):  # Path.is_file raises for a file in an unreadable folder
        yield path
        if path.suffix == ".onnx":
            yield from external_files(path)
    else:
        yield from sorted(entry for entry in path.rglob("*") if entry.is_file())
