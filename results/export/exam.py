"""What exported students are compared on: the test images as the experiment saw them."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from results.records import Row
from spaces.errors import UserError
from spaces.recipe import Data, Recipe
from trainables import data as datasets
from trainables.data import Dataset, Missing

RANDOM = 256  # images


class Exam(NamedTuple):
    """Test images, uint8, with their labels; or random images, without labels and why.

    `flags` are those with which search.run finds and cuts the same data again.
    """

    images: Tensor
    labels: Tensor | None
    missing: str
    classes: list[str]
    flags: list[str]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width


def sit(environment: Row, recipe: Recipe, root: Path | None) -> Exam:
    """The test images of an experiment, from `root`, else from where it had them, else from the usual places.

    Where they are absent and `root` was not given, random images of the recorded shape; a UserError without that.
    """
    known, command = environment.get("data", {}), shlex.split(environment.get("command", ""))
    smoke = ["--smoke-test"] * ("--smoke-test" in command)
    given = [Path(value).absolute() for flag, value in pairwise(command) if flag == "--data"]
    home = root.absolute() if root else next((path for path in given if path.is_dir()), None)
    try:
        data = _as_run(_data(recipe.data, home), known)
    except Missing as missing:
        if root or "shape" not in known:
            raise UserError(f"{missing}; without its images a student cannot be compared, nor exported") from None
        return Exam(_noise(known["shape"]), None, str(missing), known["classes"], smoke)
    images, labels = (torch.from_numpy(array) for array in data.test)
    return Exam(images, labels, "", list(data.classes), [*(["--data", str(home)] if home else []), *smoke])


def _data(wanted: Data, root: Path | None) -> Dataset:
    return datasets.load(wanted.name, root, **wanted.knobs)


def _as_run(data: Dataset, known: Row) -> Dataset:
    """Cut as a smoke test cuts, where the experiment stands on fewer images; a UserError for another data set."""
    sizes = {part: known.get(part, size) for part, size in data.sizes.items()}
    cut = data if sizes == data.sizes else data.take(*sizes.values())
    if cut.sizes != sizes or list(data.classes) != known.get("classes", list(data.classes)):
        found, wanted = (" / ".join(f"{n:,}" for n in counts.values()) for counts in (data.sizes, sizes))
        raise UserError(
            f"{data.name}: found {found} images, but the experiment stands on {wanted}; name its --data DIR"
        )
    return cut


def _noise(shape: list[int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (RANDOM, *shape), dtype=torch.uint8, generator=generator)
