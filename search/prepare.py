"""From a YAML file to a space, its data and its folder: everything that can be refused before anything is trained."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from results import records
from search.check import check, check_modules
from search.session import alone
from spaces.errors import UserError
from spaces.extend import changes
from spaces.space import Space, load
from trainables import data as datasets
from trainables.check import judge
from trainables.data import Dataset

SMOKE = (256, 64, 64)  # images to train on, validate and test in a smoke test


def prepare(path: Path, root: Path | None, download: bool, smoke: bool, console: Console) -> tuple[Space, Dataset]:
    """Load a space and its data, or what its `otherwise` names where there is no data and none was promised."""
    space = load(path, judge)
    check(space)
    try:
        data = _load(space, root, download)
    except datasets.Missing as missing:
        other = None if datasets.given(root) else space.fallback()
        if other is None:
            raise
        data = _load(other, root, download)
        images = f"{data.name}, {data.sizes['train']:,} training images"
        console.print(f"[bold yellow]Not the data that {escape(str(path))} asks for, but {images}.[/]", soft_wrap=True)
        console.print(f"{missing}\nUntil then its `otherwise:` block holds.", markup=False, soft_wrap=True)
        space = other
    if smoke:
        space, data = space.shrunk(), data.take(*SMOKE)
    check_modules(space, data)
    return space, data


def _load(space: Space, root: Path | None, download: bool) -> Dataset:
    wanted = space.fill(space.probes()[0], 0).data
    try:
        return datasets.load(wanted.name, root, download=download, **wanted.knobs)
    except datasets.Missing:
        raise
    except UserError as error:
        path, _, message = str(error).partition(": ")
        raise (space.error(path, message) if path.startswith("data.") else error) from None


def refuse_changes(space: Space, folder: Path, plugins: dict[str, str]) -> None:
    """Raise UserError where the folder holds another experiment than this space extends."""
    if not records.space_file(folder).is_file():
        return
    changed = changes(load(records.space_file(folder)), space)
    if records.environment(folder).get("plugins", plugins) != plugins:
        changed.append("--plugin")
    if changed:
        raise UserError(
            f"{folder} was run with other values of {', '.join(changed)}; only more seeds, choices or trials extend an "
            "experiment. Run with --fresh (moves the old folder aside) or --out to keep both."
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
