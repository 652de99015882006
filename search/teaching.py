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
from trainables.lesson import Answers
from trainables.teach import teach


def taught(experiment: Experiment, student: Student) -> tuple[str, Answers]:
    """Teach the teacher of a student, or find it in the cache; return its name and answers, and record it."""
    own = student.recipe.taught()
    name, epochs, threads = f"teacher {own.student.model.name}", own.train.epochs, _threads(experiment)
    experiment.display.stage(name, epochs)
    gpus = min(1, experiment.space.resources.gpus)
    task = _lectures.options(num_cpus=threads, num_gpus=gpus, num_returns="streaming")
    references: Any = task.remote(student.recipe, experiment.data, experiment.plugins, threads)
    for reference in references:
        try:
            item = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise _told(name, error.cause) from None
        if isinstance(item, Epoch):
            experiment.display.teaching(name, item.epoch, epochs, item.val_accuracy)
    values = {path: label for path, label in student.values.items() if path.split(".")[0] == "teacher"}
    records.save_teacher(experiment.folder, {**item.record, "values": values})
    return item.record["key"], item.lesson.teacher


def _threads(experiment: Experiment) -> int:
    """All processors of the largest node that has the GPU a student asks for."""
    gpus = min(1, experiment.space.resources.gpus)
    return max(1, int(max(cpus for cpus, found in cluster.nodes() if found >= gpus)))


def _told(name: str, cause: Exception) -> UserError:
    """What went wrong with a teacher, without the trace of the machine it was on."""
    return cause if isinstance(cause, UserError) else UserError(f"{name}: {type(cause).__name__}: {cause}")


@ray.remote
def _lectures(recipe: Recipe, data: Dataset, plugins: dict[str, str], threads: int) -> Iterator:
    """Yield the epochs of a teacher without their state, which nobody needs here, then what it taught."""
    plugin.register(plugins)
    torch.set_num_threads(threads)
    for item in teach(recipe, data):
        yield item._replace(state=State(item.epoch, 0, {}, {})) if isinstance(item, Epoch) else item
