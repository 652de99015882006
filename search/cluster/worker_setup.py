"""Setup of a worker process: check, plugins, weights files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import ray

from search.cluster.node_check import program_versions, version_differences
from spaces import disk
from spaces.errors import UserError
from spaces.space import Space
from trainables import plugin
from trainables.data import Dataset
from trainables.data.locations import cache_folder
from trainables.plugin import PluginFiles
from trainables.weights import copies
from trainables.weights.initial import weights_files
from trainables.weights.published import file_sha256


class SentFile(NamedTuple):
    """A weights file of the driver's node."""

    file_name: str
    sha256: str
    content: Any  # reference to its bytes in Ray's object store


class WorkerSetup(NamedTuple):
    """Plugins, files and versions for a worker process."""

    plugins: PluginFiles
    weights_files: dict[str, SentFile]  # by the name in a recipe; none on a single machine
    versions: dict[str, str] | None  # that a worker needs; None on a single machine


class UnfitWorkerError(Exception):
    """This process differs from the driver."""


def cluster_setup(space: Space, data: Dataset, plugins: PluginFiles) -> WorkerSetup:
    """Return the setup for nodes without the driver's files."""
    recipes = [space.fill(values, space.seeds[0]) for values in space.probes()]
    files = {name: path for recipe in recipes for name, path in weights_files(recipe, data).items()}
    return WorkerSetup(plugins, {name: _send_file(path) for name, path in files.items()}, program_versions())


def local_setup(plugins: PluginFiles) -> WorkerSetup:
    """Return the setup for processes of this machine."""
    return WorkerSetup(plugins, {}, None)


def _send_file(path: Path) -> SentFile:
    return SentFile(path.name, file_sha256(path), ray.put(np.fromfile(path, np.uint8)))


def set_up_worker(setup: WorkerSetup) -> None:
    """Prepare this process for training.

    Raises UnfitWorkerError if its code or packages are not the driver's, or a plugin does not run. A node may have
    changed since it was checked.
    """
    if differences := setup.versions and version_differences(program_versions(), setup.versions):
        raise UnfitWorkerError(f"{differences}; install the same versions and restart Ray there")
    try:
        plugin.register_plugins(setup.plugins)
    except UserError as error:
        raise UnfitWorkerError(str(error)) from None
    copies.use_copies({name: _local_copy(file) for name, file in setup.weights_files.items()})


def _local_copy(file: SentFile) -> Path:
    """Return a copy in this node's cache; write it if absent."""
    path = cache_folder() / "weights" / file.sha256 / file.file_name
    if not path.exists():
        disk.write_atomically(path, ray.get(file.content).data)
    return path
