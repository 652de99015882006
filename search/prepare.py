"""Load a space and its data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.markup import escape

from search.plan.check import check_networks, check_space
from spaces.errors import UserError
from spaces.space import Space, load_space
from trainables import data as datasets
from trainables.cost import network_cost
from trainables.data import Dataset
from trainables.validate import recipe_problems
from trainables.weights.initial import ensure_published_weights

SMOKE_TEST_IMAGES = (256, 64, 64)  # at most, for training, validation and test
SMOKE_TEST_MACS = 6 * 10**10  # multiply-accumulates of one pass over the images of a split, at most
MIN_SMOKE_TEST_IMAGES = 16  # of each split, also for a network with more multiply-accumulates

Loaded = TypeVar("Loaded")


def load_space_and_data(
    path: Path, data_root: Path | None, download: bool, smoke_test: bool, console: Console
) -> tuple[Space, Dataset]:
    """Load a space, its data and its published weights.

    Missing data is replaced by the space's `fallback`, unless --data or $KD_DATA names a data root, and in a smoke test
    by generated images. Raises UserError for every mistake in the space, MissingFilesError for missing data or weights.
    """
    space = load_space(path, recipe_problems)
    check_space(space)
    load_real = partial(datasets.load_dataset, root=data_root, download=download)
    try:
        data = _load_data(space, load_real)
    except datasets.MissingFilesError as error:
        fallback_loader = None if datasets.data_root_is_set(data_root) else load_real
        space, data, reason = _substitute_data(space, error, fallback_loader, smoke_test)
        images = f"{data.name}, {data.sizes['train']:,} training images"
        console.print(f"[bold yellow]Not the data of {escape(str(path))}, but {images}.[/]", soft_wrap=True)
        console.print(f"{error}\n{reason}", markup=False, highlight=False, soft_wrap=True)
    if smoke_test:
        space = space.shrink()
    check_networks(space, data)
    if smoke_test:
        data = data.take(*smoke_test_sizes(space, data))
    for values in space.probes():
        ensure_published_weights(space.fill(values, space.seeds[0]), data, download=download)
    return space, data


def _substitute_data(
    space: Space, error: datasets.MissingFilesError, load_fallback: Callable[..., Dataset] | None, smoke_test: bool
) -> tuple[Space, Dataset, str]:
    """Return another space, its data and the reason.

    Raises `error` if there is no substitute.
    """
    fallback = space.fallback_space() if load_fallback else None
    if fallback is not None and load_fallback:
        return fallback, _load_data(fallback, load_fallback), "The `fallback:` block of the space is used instead."
    generated = _load_data(space, datasets.generate_dataset) if smoke_test else None
    if generated is None:
        raise error
    return space, generated, "This smoke test uses generated images of the same layout."


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


def smoke_test_sizes(space: Space, data: Dataset) -> tuple[int, int, int]:
    """Return the number of images of each split in a smoke test.

    A large network gets fewer.
    """
    students = [space.fill(values, space.seeds[0]) for values in space.probes()]
    recipes = [recipe for student in students for recipe in (student, *student.teacher_recipes())]
    networks = {recipe.network.model_dump_json(): recipe.network for recipe in recipes}
    macs = max(1, *(network_cost(network, data).macs for network in networks.values()))
    affordable = max(MIN_SMOKE_TEST_IMAGES, SMOKE_TEST_MACS // macs)
    train, val, test = (min(images, affordable) for images in SMOKE_TEST_IMAGES)
    return train, val, test
