"""Protocol of an experiment: environment.json, shown above every table."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from results import records
from search.plan.formulas import loss_formulas
from spaces.space import Space
from trainables.baseline import teacher_weight_paths
from trainables.data import Dataset
from trainables.device import device_for_gpus, device_name
from trainables.plugin import PluginFiles

VERSIONED_PACKAGES = ("ray", "torch", "torchvision", "optuna", "numpy")
NETWORK_PACKAGES = {"timm": "timm", "transformers": "transformers", "onnx": "onnxruntime"}  # by network
MACHINE_FIELDS = ("started", "device", "cores", "versions")  # of each run; at the top level those of the first run


class RunRecord:
    """environment.json of one run, written at its start and end.

    Without `wall_seconds` the experiment is incomplete. `running_since` marks a run that is at work or was killed.
    `runs` has one entry for each machine, or set of package versions, that the experiment was run with.
    """

    def __init__(self, folder: Path, environment: dict[str, Any]) -> None:
        self._folder, self._began, self._earlier = folder, time.time(), earlier_seconds(folder)
        first = records.read_environment(folder)
        self._record = environment | {name: first[name] for name in MACHINE_FIELDS if name in first}
        self._record |= {"runs": _with_run(first, environment), "spent_seconds": self._earlier}
        self._record |= {"nodes": first["nodes"]} if "nodes" in first else {}
        records.save_environment(folder, self._record | {"running_since": self._began})

    def deadline(self, hours: float | None) -> float:
        """Return the Unix time of the end of the time limit.

        `hours` limits all runs of the experiment together; None is no limit.
        """
        return self._began + hours * 3600 - self._earlier if hours else float("inf")

    def add_nodes(self, nodes: Sequence[dict[str, Any]]) -> None:
        """Write the nodes of a cluster, beside those of earlier runs."""
        earlier = self._record.get("nodes", [])
        self._record["nodes"] = [*earlier, *(node for node in nodes if node not in earlier)]
        records.save_environment(self._folder, self._record | {"running_since": self._began})

    def save(self, complete: bool) -> None:
        """Write the seconds of all runs together."""
        seconds = self._earlier + time.time() - self._began
        times = {"spent_seconds": seconds} | ({"wall_seconds": seconds} if complete else {})
        records.save_environment(self._folder, self._record | times)


def _with_run(earlier: dict[str, Any], present: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the machines of all runs; one in use again is not repeated."""
    runs = earlier.get("runs") or [_machine(run) for run in (earlier,) if run]
    is_new = all(run | {"started": ""} != _machine(present) | {"started": ""} for run in runs)
    return [*runs, _machine(present)] if is_new else runs


def _machine(environment: dict[str, Any]) -> dict[str, Any]:
    return {name: environment.get(name) for name in MACHINE_FIELDS}


def earlier_seconds(folder: Path) -> float:
    """Return the seconds of earlier runs.

    A killed run counts up to its last row.
    """
    environment = records.read_environment(folder)
    spent, since = environment.get("spent_seconds", 0.0), environment.get("running_since")
    if since is None:
        return spent
    rows = (row for trial in records.trial_names(folder) for row in records.read_rows(folder, trial))
    return spent + max((row["time"] - since for row in rows if row["time"] > since), default=0.0)


def network_packages(node: Any) -> list[str]:
    """Return the packages of the networks named in a tree."""
    if isinstance(node, list):
        return list(dict.fromkeys(package for item in node for package in network_packages(item)))
    if not isinstance(node, dict):
        return []
    own = [NETWORK_PACKAGES[node["name"]]] if node.get("name") in NETWORK_PACKAGES else []
    return list(dict.fromkeys([*own, *network_packages(list(node.values()))]))


def environment_record(space: Space, data: Dataset, command: str, plugins: PluginFiles) -> dict[str, Any]:
    """Return command, date, device, versions, data and loss as JSON values."""
    probes = [space.fill(values, space.seeds[0]) for values in space.probes()]
    packages = [*VERSIONED_PACKAGES, *network_packages([recipe.model_dump() for recipe in probes])]
    return {
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device_name(device_for_gpus(space.resources.gpus)),
        "cores": os.cpu_count(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "data": {
            "name": data.name,
            **data.sizes,
            "classes": list(data.classes),
            "imbalance": class_imbalance(data),
            "shape": list(data.shape),
            "dtype": str(data.train.images.dtype),
            "source": data.source,
            "split": data.split,
            "depth": data.depth,
            "notes": list(data.notes),
        },
        "loss": _losses_text(loss_formulas(space)),
        "teacher_weights": teacher_weight_paths(space.methods),
        "precision": probes[0].train.precision,
        "plugins": {name: source for name, source in plugins.items() if isinstance(source, str)},
    }


def _losses_text(formulas: Mapping[str, str]) -> str:
    """Return the formula, or those of several methods by name."""
    named = [f"{name}: {formula}" for name, formula in formulas.items()]
    return "; ".join(named if len(named) > 1 else formulas.values())


def class_imbalance(data: Dataset) -> float:
    """Return the ratio of training images, largest to smallest non-empty class."""
    counts = np.unique(data.train.labeled, return_counts=True)[1]
    return float(counts.max() / counts.min())
