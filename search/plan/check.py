"""What only the search package knows to be wrong with a space."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, cast

import numpy as np

from search.algorithms import SAMPLERS, SCHEDULERS
from search.plan.estimate import grid, longest
from spaces.domain import Choice
from spaces.errors import nearest
from spaces.probe import TRIED
from spaces.sections import Search
from spaces.space import Space
from trainables.data import Dataset
from trainables.validate import complaints, price

ALGORITHMS = ("grid", *SAMPLERS)


def check(space: Space) -> None:
    """Raise UserError where an algorithm is unknown, or where a hole stands that a search cannot fill."""
    if space.search.algorithm not in ALGORITHMS:
        near = nearest(space.search.algorithm, ALGORITHMS)
        raise space.error("search.algorithm", f"unknown algorithm {space.search.algorithm}{near}")
    if space.search.scheduler not in SCHEDULERS:
        near = nearest(space.search.scheduler, SCHEDULERS)
        raise space.error("search.scheduler", f"unknown scheduler {space.search.scheduler}{near}")
    if space.search.algorithm == "grid" and space.search.scheduler != "none":
        reason = "a grid trains every cell to its end; random and tpe can stop early"
        raise space.error("search.scheduler", f"found {space.search.scheduler}, expected none: {reason}")
    if space.search.algorithm != "grid":
        _check_adaptive(space)
    _check_stopping(space)
    if space.track and find_spec("mlflow") is None:
        raise space.error("track", "needs a package that is not installed: pip install mlflow")
    for path, domain in space.domains:
        if path.split(".")[0] == "data":
            reason = "numbers on different data cannot be compared; write one space for each"
            raise space.error(path, f"data cannot be searched: {reason}")
        if path.split(".")[0] == "teacher" and not isinstance(domain, Choice):
            raise space.error(path, "a range; expected a choice, because every value is a teacher to be taught")


def _check_adaptive(space: Space) -> None:
    name = space.search.algorithm
    if space.search.trials is None:
        raise space.error("search.trials", f"missing; {name} needs to know how many students to try")
    if len(space.seeds) > 1:
        reason = f"{name} explores with one; put more into confirm.seeds"
        raise space.error("seeds", f"found {len(space.seeds)} seeds, expected one: {reason}")
    if len(space.teacher_seeds) > 1:
        reason = f"{name} explores under one; vary the teacher in a grid"
        raise space.error("teacher.seeds", f"found {len(space.teacher_seeds)} teachers, expected one: {reason}")


def _check_stopping(space: Space) -> None:
    """Refuse what would stop nobody: keys that the scheduler does not read, a grace as long as the training."""
    search, epochs = space.search, longest(space)
    for key in ("grace_period", "reduction"):
        reading = [name for name in SCHEDULERS if key in reads(name, search, epochs)]
        if key in search.model_fields_set and search.scheduler not in reading:
            reason = f"scheduler {search.scheduler} reads no {key}; remove it or name one that does: "
            raise space.error(f"search.{key}", f"found {getattr(search, key)}, but {reason}{', '.join(reading)}")
    if "grace_period" in search.model_fields_set and search.grace_period >= epochs:
        reason = f"fewer than the {epochs} epochs of a student: otherwise nobody is ever stopped"
        raise space.error("search.grace_period", f"found {search.grace_period}, expected {reason}")


def reads(scheduler: str, search: Search, epochs: int) -> set[str]:
    """The keys of `search` that a scheduler reads, seen by making one."""
    read: set[str] = set()

    class Watched:
        def __getattr__(self, key: str) -> Any:
            read.add(key)
            return getattr(search, key)

    SCHEDULERS[scheduler](cast(Search, Watched()), epochs)
    return read


def check_modules(space: Space, data: Dataset) -> None:
    """Raise UserError where networks, layers or classes do not go together, or no student is small enough."""
    if space.search.metric == "val_auc" and len(np.unique(data.val.labels)) < 2:
        raise space.error("search.metric", "val_auc, but the validation images are all of one class")
    whole = space.search.algorithm == "grid" and len(space.cells()) <= TRIED  # some parts only disagree in pairs
    tried = space.cells() if whole else space.probes()
    recipes = [space.fill(values, space.seeds[0]) for values in tried]
    for values, recipe in zip(tried, recipes, strict=True):
        for path, message in complaints(recipe, data):
            raise space.error(path, message, values)
    if space.search.algorithm == "grid" and not grid(space, data):
        smallest = min(price(recipe.network, data) for recipe in recipes)
        found = f"a student here has {smallest.parameters:,} parameters and {smallest.macs:,} MACs"
        raise space.error("search.limit", f"no student is within it; {found}")


def check_resources(space: Space, nodes: Sequence[tuple[float, float]]) -> None:
    """Raise UserError where no node, given as (processors, GPUs), could ever train a student of this space."""
    want = space.resources
    share = want.gpus or 0
    for key, wanted, index in (("cpus", want.cpus, 0), ("gpus", share, 1)):
        most = max((node[index] for node in nodes), default=0)
        if wanted > most:
            raise space.error(f"resources.{key}", f"found {wanted:g}, but no machine here has more than {most:g}")
    if not any(want.cpus <= cpus and share <= gpus for cpus, gpus in nodes):
        raise space.error("resources", f"no machine here has {want.cpus:g} processors together with {share:g} GPUs")
