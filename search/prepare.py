"""From a YAML file to a space, its data and its folder: everything that can be refused before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.markup import escape

from results import records
from search.environment import started
from search.plan.check import check, check_modules
from search.session import alone
from spaces.errors import UserError
from spaces.extend import changes
from spaces.space import Space, load
from trainables import data as datasets
from trainables.data import Dataset
from trainables.validate import judge, price
from trainables.weights.initial import obtain

SMOKE = (256, 64, 64)  # images to train on, validate and test in a smoke test
WORK = 6 * 10**10  # multiply-accumulates of a network on so many images, at most
FEWEST = 16

Loaded = TypeVar("Loaded")


def prepare(path: Path, root: Path | None, download: bool, smoke: bool, console: Console) -> tuple[Space, Dataset]:
    """Load a space and its data, or what stands in for data that is absent: see `_instead`."""
    space = load(path, judge)
    check(space)
    real = partial(datasets.load, root=root, download=download)
    try:
        data = _load(space, real)
    except datasets.Missing as missing:
        space, data, how = _instead(space, missing, None if datasets.given(root) else real, smoke)
        images = f"{data.name}, {data.sizes['train']:,} training images"
        console.print(f"[bold yellow]Not the data that {escape(str(path))} asks for, but {images}.[/]", soft_wrap=True)
        console.print(f"{missing}\n{how}", markup=False, highlight=False, soft_wrap=True)
    if smoke:
        space = space.shrunk()
    check_modules(space, data)
    if smoke:
        data = data.take(*_few(space, data))
    for values in space.probes():
        obtain(space.fill(values, space.seeds[0]), data, download=download)
    return space, data


def _instead(
    space: Space, missing: datasets.Missing, real: Callable[..., Dataset] | None, smoke: bool
) -> tuple[Space, Dataset, str]:
    """What stands in for absent data, and a sentence about it; raises `missing` where nothing does.

    The space's `fallback`, loaded by `real` if it may be; in a smoke test images generated in the layout.
    """
    other = space.fallback() if real else None
    if other is not None and real:
        return other, _load(other, real), "Until then its `fallback:` block holds."
    generated = _load(space, datasets.sketched) if smoke else None
    if generated is None:
        raise missing
    return space, generated, "A smoke test makes do with images generated in its layout."


def _load(space: Space, loaded: Callable[..., Loaded]) -> Loaded:
    """What a loader makes of the data that a space asks for; what is wrong with a knob is said with its line."""
    wanted = space.fill(space.probes()[0], 0).data
    try:
        return loaded(wanted.name, **wanted.knobs)
    except datasets.Missing:
        raise
    except UserError as error:
        path, _, message = str(error).partition(": ")
        raise (space.error(path, message) if path.startswith("data.") else error) from None


def _few(space: Space, data: Dataset) -> tuple[int, int, int]:
    """How many images of each split a smoke test takes: fewer where the largest network has much to do with each."""
    recipes = [space.fill(values, space.seeds[0]) for values in space.probes()]
    networks = {
        each.network.model_dump_json(): each.network for one in recipes for each in (one, *one.teacher_recipes())
    }
    most = max(price(network, data).macs for network in networks.values())
    train, val, test = (min(images, max(FEWEST, WORK // max(1, most))) for images in SMOKE)
    return train, val, test


def refuse_changes(space: Space, data: Dataset, folder: Path, plugins: dict[str, str]) -> None:
    """Raise UserError where the folder holds another experiment than this space extends."""
    if not records.space_file(folder).is_file():
        return
    changed = changes(load(records.space_file(folder)), space)
    if records.environment(folder).get("plugins", plugins) != plugins:
        changed.append("--plugin")
    if not set(records.environment(folder).get("weights", ())) <= set(started(space, data)):
        changed.append("the files of student.model.weights")
    if changed:
        raise UserError(
            f"{folder} was run with other values of {', '.join(changed)}; only more seeds, choices or trials extend "
            "an experiment. Run with --fresh (moves the old folder aside) or --out to keep both."
        )


def move_aside(folder: Path) -> Path | None:
    """Rename an experiment's folder, which deletes nothing; return its new name, or None where there was none.

    Raise UserError while another run is at work in it.
    """
    if not folder.exists():
        return None
    aside = folder.with_name(f"{folder.name}.{datetime.now():%Y%m%d-%H%M%S}")
    with alone(folder):
        folder.rename(aside)
    return aside
