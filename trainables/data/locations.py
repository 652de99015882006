"""Where data sets lie on disk, and what to say when one does not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from spaces.errors import UserError


class MissingFilesError(UserError):
    """A data set is not on disk; the message says where it was looked for and how to get it."""


def data_root_is_set(root: Path | None) -> bool:
    """Whether the user named a data root, by --data or $KD_DATA."""
    return root is not None or bool(os.environ.get("KD_DATA"))


def data_root(root: Path | None) -> Path:
    """The data root: --data, else $KD_DATA, else a folder in the user's cache."""
    return user_folder("KD_DATA", "data") if root is None else expand_path(root)


def user_folder(variable: str, name: str) -> Path:
    """The folder that an environment variable names, else the one of this name in the user's cache."""
    if named := os.environ.get(variable):
        return expand_path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "distil-search" / name


def expand_path(path: str | Path) -> Path:
    """A path in which ~ is written out; a UserError where nobody of the name behind it has a home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path}: no such home folder") from None


def cache_folder() -> Path:
    """What is computed once and kept, teachers' answers and decoded images: $KD_CACHE, else the user's cache folder."""
    return user_folder("KD_CACHE", "teachers")


def missing_dataset(name: str, what: str, places: Sequence[Path], get: str) -> MissingFilesError:
    """The error for a data set of which `what` is in none of the places; `get` says where it comes from."""
    looked = ", ".join(str(place) for place in dict.fromkeys(places))
    return MissingFilesError(
        f"{name}: no {what}; looked in {looked}; "
        f"name the folder that holds it by --data DIR or the variable KD_DATA=DIR, {get}"
    )


def find_files(names: Sequence[str], folders: Sequence[Path]) -> dict[str, Path | None]:
    """The path of each file, as NAME or NAME.gz in the first folder that holds it; None where no folder does."""
    places = {name: [folder / (name + end) for folder in folders for end in ("", ".gz")] for name in names}
    # os.path, as Path.is_file raises where a folder may not be entered.
    return {name: next((path for path in paths if os.path.isfile(path)), None) for name, paths in places.items()}
