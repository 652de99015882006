"""Checks of a space against data, networks and machines.

Each raises UserError with file and line.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.students.candidates import within_limit
from spaces.probe import MAX_VALIDATED_CELLS
from spaces.space import Space
from spaces.start_points import complete_values
from spaces.template import count_cells
from trainables.data import Dataset
from trainables.methods import METHODS
from trainables.models import MODELS
from trainables.plugin_functions import is_session_function
from trainables.validate import data_problems


def check_networks(space: Space, data: Dataset) -> None:
    """Check networks, layers and classes against each other and the data.

    Up to MAX_VALIDATED_CELLS cells of a grid are all checked, for some values only disagree in pairs; otherwise the
    probes are.
    """
    if space.search.metric == "val_auc" and len(np.unique(data.val.labels)) < 2:
        raise space.error("search.metric", "val_auc, but the validation images are all of one class")
    every_cell = space.search.algorithm == "grid" and count_cells(space.template) <= MAX_VALIDATED_CELLS
    for values in space.cells() if every_cell else space.probes():
        for path, message in data_problems(space.fill(values, space.seeds[0]), data):
            raise space.error(path, message, values)
    _check_start_points(space, data)
    _check_registered(space)


def _check_start_points(space: Space, data: Dataset) -> None:
    """Refuse complete start points above the search limit."""
    for index, start in enumerate(space.search.start or []):
        values = complete_values(start, space.template)
        if values.keys() == start.keys() and not within_limit(space, space.fill(values, space.seeds[0]), data):
            raise space.error(f"search.start.{index}", "found a student above search.limit; raise it or remove this")


def _check_registered(space: Space) -> None:
    """Refuse methods and networks missing in the workers."""
    for values in space.probes():
        recipe = space.fill(values, space.seeds[0])
        reason = "registered in this process only, which its workers cannot see; write it into a file for --plugin"
        if is_session_function(METHODS[recipe.method.name]):
            raise space.error("method.name", f"{recipe.method.name}: {reason}", values)
        for path, part in [("student", recipe), *(("teacher", teacher) for teacher in recipe.teacher_recipes())]:
            if is_session_function(MODELS[part.network.name]):
                raise space.error(f"{path}.model.name", f"{part.network.name}: {reason}", values)


def check_resources(space: Space, nodes: Sequence[tuple[float, float]]) -> None:
    """Check the resources of a student against nodes of (CPUs, GPUs)."""
    required = space.resources
    gpus = required.gpus or 0
    for key, amount, index in (("cpus", required.cpus, 0), ("gpus", gpus, 1)):
        largest = max((node[index] for node in nodes), default=0)
        if amount > largest:
            raise space.error(f"resources.{key}", f"found {amount:g}, but no machine here has more than {largest:g}")
    if not any(required.cpus <= node_cpus and gpus <= node_gpus for node_cpus, node_gpus in nodes):
        raise space.error("resources", f"no machine here has {required.cpus:g} CPUs together with {gpus:g} GPUs")
