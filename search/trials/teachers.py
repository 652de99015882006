"""Teachers of a search, trained before their students.

Each is trained once, as a Ray task on all free CPUs of a node. A teacher that trains in less time than a worker needs
to start is trained in the driver.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any

import ray
import torch
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from results import records
from results.console import print_plain
from search.cluster.nodes import TeacherPlace, worker_options
from search.cluster.worker_setup import UnfitWorkerError, WorkerSetup, set_up_worker
from search.students.spec import StudentSpec
from search.trials.callback import MAX_RETRIES
from search.trials.controller import WAIT_SECONDS
from search.trials.short_teachers import (
    events_and_warnings,
    is_short_training,
    load_quietly,
    teacher_error,
    thread_count,
    train_in_this_process,
)
from search.trials.tuner import SearchContext
from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.device import process_device
from trainables.distillation_data import RequestedOutputs, TeacherOutputs
from trainables.fit import EpochResult
from trainables.teachers.home import CacheHome
from trainables.teachers.train import (
    LOGITS_ONLY,
    OutputsStarted,
    TrainingStarted,
)


def obtain_teacher(
    context: SearchContext, student: StudentSpec, requested: RequestedOutputs
) -> tuple[str, TeacherOutputs]:
    """Train a student's teacher, or load it from the cache.

    Returns its key and outputs. Its record is saved in the experiment, with those of its own teachers or its ensemble's
    members.
    """
    name, epochs = "teacher", 0
    try:
        for item in _teacher_events(context, student, requested):
            if isinstance(item, str):
                context.display.console.print(item, highlight=False, markup=False, soft_wrap=True)
            elif isinstance(item, TrainingStarted):
                name, epochs = f"teacher {item.model}", item.epochs
                context.display.begin_stage(name, epochs)
            elif isinstance(item, EpochResult):
                context.display.teacher_epoch(name, item.epoch, epochs, item.val_accuracy)
            elif isinstance(item, OutputsStarted):
                line = f"teacher {item.model}: computing its logits for {item.images:,} views of the training images"
                context.display.begin_wait(f"teacher {item.model}: computing its logits")
                context.display.console.print(line, highlight=False, markup=False, soft_wrap=True)
    except ray.exceptions.RayTaskError as error:
        raise teacher_error(name, error.cause) from None
    _save_records(context, student, item.record)
    return item.record["key"], item.outputs


def _save_records(context: SearchContext, student: StudentSpec, record: dict[str, Any]) -> None:
    """Save a teacher's record and those behind it."""
    own = {name: value for name, value in record.items() if name != "behind"}
    direct = {key for key, _ in context.teacher_outputs.values()}  # teachers of students have records of their own
    for indirect in record["behind"]:
        if indirect["key"] not in direct:
            records.save_teacher(context.folder, {**indirect, "values": {}, "behind": own["key"]})
    values = {path: label for path, label in student.values.items() if path.split(".")[0] == "teacher"}
    records.save_teacher(context.folder, {**own, "values": values})


def _teacher_events(context: SearchContext, student: StudentSpec, requested: RequestedOutputs) -> Iterator[Any]:
    """Yield the events of `train_teacher`, its result, and lines to print.

    It is trained on the node with the most free CPUs. If its process dies, another one resumes after its last epoch.
    Ray's own retry cannot do that: it skips as many items as were yielded before, and a resumed teacher yields fewer.
    """
    if requested == LOGITS_ONLY and (result := load_quietly(student.recipe, context.data)):
        yield result
        return
    if _may_train_here(context) and requested == LOGITS_ONLY and is_short_training(student.recipe, context.data):
        yield from train_in_this_process(student.recipe, context.data, context.teacher_home)
        return
    retry = 0
    while True:
        place = _wait_for_place(context)
        context.display.begin_wait("starting the teacher's worker")
        node = "" if context.nodes.single_machine else f" on {place.name}"
        try:
            with _named_wait(context, f"Ray to start the teacher's worker{node}"):
                first, references = _start_training(context, student, requested, place)
            yield first
            yield from map(ray.get, references)
            return
        except ray.exceptions.RayTaskError as error:
            if not isinstance(error.cause, UnfitWorkerError):
                raise
            context.nodes.refuse(place.node_id, str(error.cause))
        except ray.exceptions.RayError as error:
            context.nodes.check_again(place.node_id)
            retry += 1
            if retry > MAX_RETRIES:
                raise UserError(f"teacher: its worker process died {retry} times: {_error_summary(error)}") from None
            yield f"teacher: its worker process died; it goes on from its last epoch (retry {retry} of {MAX_RETRIES})"


def _may_train_here(context: SearchContext) -> bool:
    """Return True if the driver may train a teacher.

    Code of plugins may end its process, and the driver would keep the memory of a GPU.
    """
    return context.nodes.single_machine and not context.setup.plugins and process_device().type == "cpu"


def _start_training(
    context: SearchContext, student: StudentSpec, requested: RequestedOutputs, place: TeacherPlace
) -> tuple[Any, Iterator[Any]]:
    """Start a worker; return its first event and the references to more."""
    options = worker_options(context.space.resources) | {"num_cpus": place.cpus, "num_gpus": _teacher_gpus(context)}
    here = NodeAffinitySchedulingStrategy(place.node_id, soft=False)
    task = _train_on_ray.options(**options, scheduling_strategy=here, num_returns="streaming", max_retries=0)
    threads = thread_count(student.recipe, context.data, place.cpus)
    arguments = (student.recipe, context.data, requested, context.setup, context.teacher_home, threads)
    references: Any = task.remote(*arguments)
    return ray.get(next(references)), references


def _wait_for_place(context: SearchContext) -> TeacherPlace:
    """Return a node for the teacher, as soon as there is one."""
    required = context.space.resources
    if place := context.nodes.teacher_place(required):
        return place
    context.display.begin_wait("waiting for a node")
    context.nodes.request_workers(required, 1)
    with _named_wait(context, context.nodes.missing_resources(required)):
        while not (place := context.nodes.teacher_place(required)):
            time.sleep(1)
    return place


@contextmanager
def _named_wait(context: SearchContext, reason: str) -> Iterator[None]:
    """Print the reason if this block takes longer than WAIT_SECONDS."""
    line = f"waiting for {reason}"
    timer = Timer(WAIT_SECONDS, lambda: print_plain(context.display.console, line))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _teacher_gpus(context: SearchContext) -> float:
    """Return the GPUs of one student, at most one."""
    return min(1, context.space.resources.gpus or 0)


def _error_summary(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@ray.remote
def _train_on_ray(
    recipe: Recipe,
    data: Dataset,
    requested: RequestedOutputs,
    setup: WorkerSetup,
    home: CacheHome,
    threads: int,
) -> Iterator:
    """Yield the events of `train_teacher`, its result, and warnings."""
    set_up_worker(setup)
    torch.set_num_threads(threads)
    yield from events_and_warnings(recipe, data, requested, home)
