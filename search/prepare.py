"""Load the data of a space, without torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from results.console import print_plain
from search.command_line import RunOptions
from spaces.errors import UserError
from spaces.space import Space
from trainables import data as datasets
from trainables.data import Dataset

Loaded = TypeVar("Loaded")


def load_data(space: Space, options: RunOptions, console: Console) -> tuple[Space, Dataset]:
    """Return a space and its data.

    Missing data is replaced by the space's `fallback`, unless --data or $KD_DATA names a data root, and in a smoke test
    by generated images. A smoke test gets the small version of the space. Raises UserError for wrong data,
    MissingFilesError for missing data.
    """
    data_root = Path(options.data) if options.data else None
    load_real = partial(datasets.load_dataset, root=data_root, download=options.download)
    try:
        data = _load_data(space, load_real)
    except datasets.MissingFilesError as error:
        fallback_loader = None if datasets.data_root_is_set(data_root) else load_real
        space, data, reason = _substitute_data(space, error, fallback_loader, options.smoke_test)
        images = f"{sum(data.sizes.values()):,} images of {data.name}"
        print_plain(console, f"Using the {images}, {reason}")
    return space.shrink() if options.smoke_test else space, data


def _substitute_data(
    space: Space, error: datasets.MissingFilesError, load_fallback: Callable[..., Dataset] | None, smoke_test: bool
) -> tuple[Space, Dataset, str]:
    """Return another space, its data and the reason.

    Raises `error` if there is no substitute.
    """
    fallback = space.fallback_space() if load_fallback else None
    if fallback is not None and load_fallback:
        reason = f"the fallback of {space.file}; {error.remedy}"
        return fallback, _load_data(fallback, load_fallback), reason
    generated = _load_data(space, datasets.generate_dataset) if smoke_test else None
    if generated is None:
        raise error
    return space, generated, f"made for this smoke test; {error}"


def _load_data(space: Space, load_dataset: Callable[..., Loaded]) -> Loaded:
    """Call a loader with the `data` section of a space.

    Its errors get the line of the key.
    """
    section = space.fill(space.probes()[0], 0).data
    try:
        return load_dataset(section.name, **section.knobs)
    except datasets.MissingFilesError:
        raise
    except UserError as error:
        path, _, message = str(error).partition(": ")
        raise (space.error(path, message) if path.startswith("data.") else error) from None
