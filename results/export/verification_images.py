"""Images for verifying exports: test images, or random ones."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from results import records
from results.experiment import Experiment
from results.export.int8 import CALIBRATION_IMAGES
from results.records import Row
from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables import data as datasets
from trainables.data import Dataset, MissingFilesError
from trainables.data.data_identity import data_differences, data_identity, data_identity_of_environment
from trainables.data.image_file import FULL_DEPTH
from trainables.device import to_tensor
from trainables.output import random_inputs

RANDOM_IMAGES = 256


class VerificationImages(NamedTuple):
    """Test images (uint8) with labels, or random images without.

    `missing` is the reason for random images. `flags` are those with which `search.run` loads the same data again.
    """

    images: Tensor
    labels: Tensor | None
    missing: str
    classes: list[str]
    flags: list[str]
    depth: int  # bits used by image files of 16 bits
    training: Tensor | None = None  # some training images, to measure activations on

    @property
    def shape(self) -> tuple[int, ...]:
        """Return channels, height and width of an image."""
        return tuple(self.images.shape[1:])


def load_verification_images(environment: Row, recorded: Row, recipe: Recipe, root: Path | None) -> VerificationImages:
    """Return the test images of an experiment.

    `recorded` is the identity of its data. They are read from `root`, else from the `--data` folder of the
    experiment, else from the default folders. If they are missing and `root` is None, random images of the recorded
    shape are returned. Raises UserError if the images are missing otherwise, or are not those of the experiment.
    """
    command = shlex.split(environment.get("command", ""))
    smoke = ["--smoke-test"] * ("--smoke-test" in command)
    folders = [Path(value).absolute() for flag, value in pairwise(command) if flag == "--data"]
    folder = root.absolute() if root else next((path for path in folders if path.is_dir()), None)
    try:
        data = datasets.load_dataset(recipe.data.name, folder, **recipe.data.knobs)
        data = _require_recorded(data, recorded, bool(smoke))
    except MissingFilesError as missing:
        if root or "shape" not in recorded:
            raise UserError(
                f"{missing}; without its images the student cannot be verified and is not exported"
            ) from None
        images = random_inputs(RANDOM_IMAGES, recorded["shape"], _recorded_dtype(environment))
        depth = environment.get("data", {}).get("depth", FULL_DEPTH)
        return VerificationImages(images, None, str(missing), [*recorded["classes"]], smoke, depth)
    cpu = torch.device("cpu")
    images, labels = (to_tensor(array, cpu) for array in data.test)
    training = to_tensor(data.train.take(CALIBRATION_IMAGES).images, cpu)
    flags = [*(["--data", "DIR"] if folder else []), *smoke]  # no path of this machine
    return VerificationImages(images, labels, "", list(data.classes), flags, data.depth, training)


def recorded_data(experiment: Experiment) -> Row:
    """Return the recorded identity of an experiment's data."""
    identity = records.read_identity(experiment.folder).get("data")
    return identity or data_identity_of_environment(experiment.environment.get("data", {}))


def _require_recorded(data: Dataset, recorded: Row, smoke: bool) -> Dataset:
    """Return the data, cut to the recorded sizes.

    A smoke test cut them. Raises UserError for other images, labels or classes.
    """
    sizes = {part: recorded.get(part, size) for part, size in data.sizes.items()}
    smaller = sizes != data.sizes and all(size <= data.sizes[part] for part, size in sizes.items())
    cut = data.take(*sizes.values()) if smaller else data
    if data_differences(recorded, data_identity(cut)):
        changed = ", ".join(data_differences(recorded, data_identity(cut if smoke else data)))
        raise UserError(f"{data.name}: not the data of the experiment ({changed}); choose the folder with --data")
    return cut


def _recorded_dtype(environment: Row) -> torch.dtype:
    """Return the type of the recorded inputs.

    Experiments of earlier versions have images.
    """
    return getattr(torch, environment.get("data", {}).get("dtype", "uint8"))
