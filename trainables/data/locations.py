"""Locations of data sets and of the cache.

Data root: data sets, in the folder that each loader's documentation names. It is `--data DIR`, otherwise `$KD_DATA`,
otherwise `~/.cache/distil-search/data`. Written by `--download` only.

Cache folder: `$KD_CACHE`, otherwise `~/.cache/distil-search/teachers`. It holds

- `KEY/`: a trained teacher and its outputs (`trainables.teachers`),
- `images/KEY.npy`: the decoded images of a data set (`trainables.data.image_cache`), with `KEY.rows.npy` and
  `KEY.scan.json` (`cached_rows`, `image_scan`); limited by `$KD_CACHE_GB` (`cache_limit`),
- `unpacked/KEY`: the images of a zip or tar (`trainables.data.packed_folder`).

Everything in the cache is computed again if it is deleted or damaged. `$XDG_CACHE_HOME` replaces `~/.cache` in both if
it is an absolute path. Weights published by torchvision lie in torch's own folder, `$TORCH_HOME/hub/checkpoints`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from spaces.disk import expand_path, user_cache
from spaces.errors import UserError


class MissingFilesError(UserError):
    """Files of a data set are not on this machine.

    The message says where they were searched and how to get them; `remedy` is the latter alone.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class MissingWeightsError(MissingFilesError):
    """Published weights are not on this machine.

    The message says where they were searched and how to get them.
    """


def data_root_is_set(root: Path | None) -> bool:
    """Return True if --data or $KD_DATA names a data root."""
    return root is not None or bool(os.environ.get("KD_DATA"))


def data_root(root: Path | None) -> Path:
    """Return the data root, given the value of --data."""
    return _user_folder("KD_DATA", "data") if root is None else expand_path(root)


def cache_folder() -> Path:
    """Return the folder of trained teachers and decoded images."""
    return _user_folder("KD_CACHE", "teachers")


def images_folder() -> Path:
    """Return the folder of decoded images."""
    return cache_folder() / "images"


def _user_folder(variable: str, name: str) -> Path:
    """Return a variable's folder, otherwise one in the user's cache."""
    if value := os.environ.get(variable):
        return expand_path(value)
    return user_cache() / name


def missing_dataset(name: str, files: str, folders: Sequence[Path], alternative: str) -> MissingFilesError:
    """Describe a data set with files in none of the folders."""
    searched = ", ".join(str(folder) for folder in dict.fromkeys(folders))
    return MissingFilesError(
        f"{name}: no {files}; looked in {searched}; "
        f"name the folder that holds it by --data DIR or the variable KD_DATA=DIR, {alternative}",
        remedy=f"for {name} name its folder by --data DIR, {alternative}",
    )


def find_files(names: Sequence[str], folders: Sequence[Path]) -> dict[str, Path | None]:
    """Find each file, as NAME or NAME.gz, in several folders.

    The first folder with the file counts. The path is None if there is none.
    """
    candidates = {name: [folder / (name + end) for folder in folders for end in ("", ".gz")] for name in names}
    # os.path, because Path.is_file raises for a file in an unreadable folder.
    return {name: next((path for path in paths if os.path.isfile(path)), None) for name, paths in candidates.items()}
