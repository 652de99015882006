"""Teachers: taught once, on the cluster, with a whole node, before any student asks for their answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ray
import torch

from results import records
from search import cluster
from search.students import Student
from search.tuner import Experiment
from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables import plugin
from trainables.data import Dataset
from trainables.fit import Epoch, State
from trainables.lesson import Answers, Wanted
from trainables.teach import Begun, teach


def taught(experiment: Experiment, student: Student, asked: Wanted) -> tuple[str, Answers]:
    """Teach the teacher of a student, or find it in the cache; return its name and answers, and record it.

    An assistant's own teacher, and the members of an ensemble, are recorded beside it.
    """
    name, epochs = "teacher", 0
    try:
        for item in _heard(experiment, student, asked):
            if isinstance(item, Begun):
                name, epochs = f"teacher {item.model}", item.epochs
                experiment.display.stage(name, epochs)
            elif isinstance(item, Epoch):
                experiment.display.teaching(name, item.epoch, epochs, item.val_accuracy)
    except ray.exceptions.RayTaskError as error:
        raise _told(name, error.cause) from None
    record = dict(item.record)
    told = {key for key, _ in experiment.lessons.values()}  # who also teaches students keeps the record of that
    for other in record.pop("behind"):
        if other["key"] not in told:
            records.save_teacher(experiment.folder, {**other, "values": {}, "behind": record["key"]})
    values = {path: label for path, label in student.values.items() if path.split(".")[0] == "teacher"}
    records.save_teacher(experiment.folder, {**record, "values": values})
    return record["key"], item.lesson.teacher


def _heard(experiment: Experiment, student: Student, asked: Wanted) -> Iterator[Any]:
    """What a teacher's lectures yield, somewhere on the cluster."""
    threads, gpus = _threads(experiment), min(1, experiment.space.resources.gpus)
    task = _lectures.options(num_cpus=threads, num_gpus=gpus, num_returns="streaming")
    references: Any = task.remote(student.recipe, experiment.data, asked, experiment.plugins, threads)
    yield from map(ray.get, references)


def _threads(experiment: Experiment) -> int:
    """All processors of the largest node that has the GPU a student asks for."""
    gpus = min(1, experiment.space.resources.gpus)
    return max(1, int(max(cpus for cpus, found in cluster.nodes() if found >= gpus)))


def _told(name: str, cause: Exception) -> UserError:
    """What went wrong with a teacher, without the trace of the machine it was on."""
    return cause if isinstance(cause, UserError) else UserError(f"{name}: {type(cause).__name__}: {cause}")


@ray.remote
def _lectures(recipe: Recipe, data: Dataset, asked: Wanted, plugins: dict[str, str], threads: int) -> Iterator:
    """Yield what `teach` does: epochs without their state, which nobody needs here, and last what was taught."""
    plugin.register(plugins)
    torch.set_num_threads(threads)
    for item in teach(recipe, data, asked):
        yield item._replace(state=State(item.epoch, 0, {}, {}, {})) if isinstance(item, Epoch) else item
