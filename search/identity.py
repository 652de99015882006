"""Identity of an experiment: digests of its data, plugins and files.

identity.json is written when an experiment begins. A run with another data set, plugin, file or version of the training
code is refused. Files and parts of new choices are added; nothing else is ever changed.

Decision: "An experiment's inputs are recorded once and compared by every run" (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from results import paths, records
from spaces.errors import UserError
from spaces.space import Space
from trainables.data import Dataset
from trainables.data.data_identity import data_differences, data_identity, data_identity_of_environment
from trainables.named_files import FOLDER_MARK, recipe_file_digests
from trainables.plugin import PluginFiles, plugin_digests
from trainables.teachers.key import TRAINING_VERSION, part_versions

SHOWN_DIGITS = 8  # of a SHA-256 in a message
START_ANOTHER = "run with --fresh (moves the old folder aside) or --out to keep both"


def experiment_identity(space: Space, data: Dataset, plugins: PluginFiles) -> dict[str, Any]:
    """Return the digests of data, plugins, named files and training code."""
    files: dict[str, str] = {}
    parts: dict[str, int] = {}
    for values in space.probes():
        recipe = space.fill(values, space.seeds[0])
        files |= recipe_file_digests(recipe, data)
        parts |= part_versions(recipe)
    return {
        "training_version": TRAINING_VERSION,
        "part_versions": dict(sorted(parts.items())),
        "data": data_identity(data),
        "plugins": plugin_digests(plugins),
        "files": dict(sorted(files.items())),
    }


def recorded_identity(folder: Path) -> dict[str, Any]:
    """Return the recorded identity of an experiment.

    Experiments of earlier versions have parts of it in environment.json. Parts that they lack are not compared.
    """
    if identity := records.read_identity(folder):
        return identity
    environment = records.read_environment(folder)
    identity = {"data": data_identity_of_environment(environment.get("data", {}))}
    if "plugins" in environment:
        identity["plugins"] = plugin_digests(environment["plugins"])
    return identity | {"weights": environment.get("weights", [])}


def identity_differences(recorded: Mapping[str, Any], present: Mapping[str, Any]) -> Iterator[str]:
    """Yield one phrase for each differing part."""
    if differences := data_differences(recorded.get("data", {}), present["data"]):
        yield f"the data changed ({', '.join(differences)})"
    yield from _plugin_differences(recorded.get("plugins", present["plugins"]), present["plugins"])
    files, recorded_files = present["files"], recorded.get("files", {})
    for name in sorted(files.keys() & recorded_files.keys()):
        if files[name] == recorded_files[name]:
            continue
        if name.endswith(FOLDER_MARK):
            yield f"{name} has other files, or files of other names"
        else:
            yield f"{name} changed (sha256 {_short(files[name])}, was {_short(recorded_files[name])})"
    if set(recorded.get("weights", ())) - set(files.values()):
        yield "the files of student.model.weights changed"
    version = recorded.get("training_version", TRAINING_VERSION)
    if version != TRAINING_VERSION:
        yield f"the training code has version {TRAINING_VERSION}, had {version}"
    recorded_parts = recorded.get("part_versions", {})
    for name, present_version in present["part_versions"].items():
        if (version := recorded_parts.get(name, present_version)) != present_version:
            yield f"the code of {name} has version {present_version}, had {version}"


def record_identity(folder: Path, present: Mapping[str, Any]) -> None:
    """Write identity.json, or add the files of new choices to it.

    Raises UserError for another identity, so that no run replaces it.
    """
    recorded = recorded_identity(folder) if paths.space_file(folder).is_file() else {}  # otherwise nothing was trained
    if differences := list(identity_differences(recorded, present)):
        raise UserError(f"{folder}: {'; '.join(differences)}; {START_ANOTHER}")
    complete = dict(present)
    for growing in ("files", "part_versions"):
        complete[growing] = {**present[growing], **recorded.get(growing, {})}
    if records.read_identity(folder) != complete:
        records.save_identity(folder, complete)


def _plugin_differences(recorded: Mapping[str, str], present: Mapping[str, str]) -> Iterator[str]:
    for name in {**recorded, **present}:
        if name not in present:
            yield f"plugin file {name} is missing"
        elif name not in recorded:
            yield f"plugin file {name} is new"
        elif present[name] != recorded[name]:
            yield f"plugin file {name} changed"


def _short(digest: str) -> str:
    return digest[:SHOWN_DIGITS]
