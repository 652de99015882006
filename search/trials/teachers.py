"""Teachers: taught once, on the cluster, with a whole node, before any student asks for their answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import ray
import torch

from results import records
from search.cluster import connect
from search.students.spec import StudentSpec
from search.trials.callback import RETRIES
from search.trials.tuner import Experiment
from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables import plugin
from trainables.data import Dataset
from trainables.distillation_data import RequestedOutputs, TeacherOutputs
from trainables.fit import Epoch, State
from trainables.teachers.teach import LOGITS_ALONE, Answering, Begun, TeacherResult, recall, teach


def taught(experiment: Experiment, student: StudentSpec, asked: RequestedOutputs) -> tuple[str, TeacherOutputs]:
    """Teach the teacher of a student, or find it in the cache; return its name and answers, and record it.

    An assistant's own teacher, and the members of an ensemble, are recorded beside it.
    """
    name, epochs = "teacher", 0
    try:
        for item in _heard(experiment, student, asked):
            if isinstance(item, str):
                experiment.display.console.print(item, highlight=False, markup=False, soft_wrap=True)
            elif isinstance(item, Begun):
                name, epochs = f"teacher {item.model}", item.epochs
                experiment.display.stage(name, epochs)
            elif isinstance(item, Epoch):
                experiment.display.teaching(name, item.epoch, epochs, item.val_accuracy)
            elif isinstance(item, Answering):
                line = f"teacher {item.model} answers {item.images:,} views of images, once for all students"
                experiment.display.console.print(line, highlight=False, markup=False, soft_wrap=True)
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


def _heard(experiment: Experiment, student: StudentSpec, asked: RequestedOutputs) -> Iterator[Any]:
    """What a teacher's lectures yield, from the cache or somewhere on Ray, and lines for what a person should know.

    Where the process of a teacher dies, another goes on from its last epoch. Ray's own retry would not do: it counts
    what was yielded, and a teacher that goes on yields less.
    """
    if asked == LOGITS_ALONE and (read := _recalled(student.recipe, experiment.data)):
        yield read
        return
    threads, gpus = _threads(experiment), _gpus(experiment)
    task = _lectures.options(num_cpus=threads, num_gpus=gpus, num_returns="streaming", max_retries=0)
    for retry in range(1, RETRIES + 2):
        try:
            references: Any = task.remote(
                student.recipe, experiment.data, asked, experiment.plugins, threads, experiment.local
            )
            yield from map(ray.get, references)
            return
        except ray.exceptions.RayTaskError:
            raise
        except ray.exceptions.RayError as error:
            if retry > RETRIES:
                raise UserError(f"teacher: its worker process died {retry} times: {_first_line(error)}") from None
            yield f"teacher: its worker process died; it goes on from its last epoch (retry {retry} of {RETRIES})"


def _recalled(recipe: Recipe, data: Dataset) -> TeacherResult | None:
    """A teacher from the cache, without the seconds in which a process for it would start.

    Whatever is wrong with the cache is told by that process, which does what is to be done about it.
    """
    with _warnings(), suppress(OSError, RuntimeError, UserError):
        return recall(recipe, data)
    return None


def _threads(experiment: Experiment) -> int:
    """All processors of the largest node that has the GPU a student asks for."""
    return max(1, int(max(cpus for cpus, found in connect.nodes() if found >= _gpus(experiment))))


def _gpus(experiment: Experiment) -> float:
    """As much of a GPU as a student asks for, one at most."""
    return min(1, experiment.space.resources.gpus or 0)


def _told(name: str, cause: Exception) -> UserError:
    """What went wrong with a teacher, without the trace of the machine it was on."""
    return cause if isinstance(cause, UserError) else UserError(f"{name}: {type(cause).__name__}: {cause}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@ray.remote
def _lectures(
    recipe: Recipe, data: Dataset, asked: RequestedOutputs, plugins: dict[str, str], threads: int, local: bool
) -> Iterator:
    """Yield what `teach` does: epochs without their state, which nobody needs here, and last what was taught.

    Warnings are yielded as strings, for nobody reads the log of this process. Answers that are mapped from files of
    this node's cache are taken into memory where other nodes may ask for them.
    """
    plugin.register(plugins)
    torch.set_num_threads(threads)
    with _warnings() as lines:
        for item in teach(recipe, data, asked):
            yield from (lines.pop(0) for _ in list(lines))
            if isinstance(item, Epoch):
                yield item._replace(state=State(item.epoch, 0, {}, {}, {}))
            elif isinstance(item, TeacherResult) and not local:
                yield item._replace(lesson=item.lesson.in_memory())
            else:
                yield item


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """The lines that the training code logs inside this block, as they come."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("trainables")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
