"""Checks of a space against algorithms, data, networks and machines.

Each raises UserError with file and line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from results.trackers import check_trackers
from search.algorithms import SAMPLERS, SCHEDULERS
from search.students.candidates import longest_training
from spaces.domain import Choice
from spaces.errors import did_you_mean
from spaces.probe import MAX_VALIDATED_CELLS
from spaces.sections import Search
from spaces.space import Space
from spaces.template import count_cells
from trainables.data import Dataset
from trainables.validate import data_problems

ALGORITHM_NAMES = ("grid", *SAMPLERS)


def check_space(space: Space) -> None:
    """Check algorithm, scheduler, trackers and searched knobs."""
    search = space.search
    if search.algorithm not in ALGORITHM_NAMES:
        hint = did_you_mean(search.algorithm, ALGORITHM_NAMES)
        raise space.error("search.algorithm", f"unknown algorithm {search.algorithm}{hint}")
    if search.scheduler not in SCHEDULERS:
        hint = did_you_mean(search.scheduler, SCHEDULERS)
        raise space.error("search.scheduler", f"unknown scheduler {search.scheduler}{hint}")
    if search.algorithm == "grid" and search.scheduler != "none":
        reason = "a grid trains every cell to its end; random and tpe can stop early"
        raise space.error("search.scheduler", f"found {search.scheduler}, expected none: {reason}")
    if search.algorithm != "grid":
        _check_adaptive(space)
    _check_stopping(space)
    check_trackers(space)
    for path, domain in space.domains:
        if path.split(".")[0] == "data":
            reason = "numbers on different data cannot be compared; write one space for each"
            raise space.error(path, f"data cannot be searched: {reason}")
        if path.split(".")[0] == "teacher" and not isinstance(domain, Choice):
            raise space.error(path, "a range; expected a choice, because every value is one more teacher to train")


def _check_adaptive(space: Space) -> None:
    name = space.search.algorithm
    if space.search.trials is None:
        raise space.error("search.trials", f"missing; {name} needs the number of students to try")
    if len(space.seeds) > 1:
        reason = f"{name} explores with one; put more into confirm.seeds"
        raise space.error("seeds", f"found {len(space.seeds)} seeds, expected one: {reason}")
    if len(space.teacher_seeds) > 1:
        reason = f"{name} explores under one; vary the teacher in a grid"
        raise space.error("teacher.seeds", f"found {len(space.teacher_seeds)} teachers, expected one: {reason}")


def _check_stopping(space: Space) -> None:
    """Check the keys of the scheduler.

    It must read them, the grace period must be shorter than the training, and all trainings equally long.
    """
    search, epochs = space.search, longest_training(space)
    if search.scheduler != "none" and "train.epochs" in space.knobs:
        reason = f"scheduler {search.scheduler} compares trainings of equal length; use scheduler: none"
        raise space.error("train.epochs", f"found a domain, expected one number: {reason}")
    for key in ("grace_period", "reduction"):
        schedulers = [name for name in SCHEDULERS if key in keys_read_by(name, search, epochs)]
        if key in search.model_fields_set and search.scheduler not in schedulers:
            reason = f"scheduler {search.scheduler} does not use {key}; remove it or choose one of: "
            raise space.error(f"search.{key}", f"found {getattr(search, key)}, but {reason}{', '.join(schedulers)}")
    if "grace_period" in search.model_fields_set and search.grace_period >= epochs:
        reason = f"fewer than the {epochs} epochs of a student: otherwise no student is ever stopped"
        raise space.error("search.grace_period", f"found {search.grace_period}, expected {reason}")


def keys_read_by(scheduler: str, search: Search, epochs: int) -> set[str]:
    """Return the keys of `search` read by a scheduler."""
    keys: set[str] = set()

    class RecordingSearch:
        def __getattr__(self, key: str) -> Any:
            keys.add(key)
            return getattr(search, key)

    SCHEDULERS[scheduler](cast(Search, RecordingSearch()), epochs)
    return keys


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
