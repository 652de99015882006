"""Teachers in the driver: read from the cache, or trained quickly.

A worker would import torch and Ray first, which takes longer. This module does without Ray.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch

from search.trials.grouping import training_seconds
from spaces.errors import UserError
from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.distillation_data import RequestedOutputs
from trainables.fit import EpochResult, TrainingState
from trainables.teachers.home import CacheHome
from trainables.teachers.train import LOGITS_ONLY, TeacherResult, load_cached_teacher, train_teacher

SHORT_SECONDS = 2.0  # of training on one thread, at most; a worker takes about twice as long to start


def load_quietly(recipe: Recipe, data: Dataset) -> TeacherResult | None:
    """Load a cached teacher in this process.

    Warnings and errors are dropped here: a worker repeats and handles them.
    """
    with captured_warnings(), suppress(OSError, RuntimeError, UserError):
        return load_cached_teacher(recipe, data)
    return None


def is_short_training(recipe: Recipe, data: Dataset) -> bool:
    """Return True if a teacher trains sooner than a worker starts.

    Only for a teacher by itself, with random initial weights.
    """
    teacher = recipe.teacher
    if teacher is None or teacher.teacher or teacher.ensemble or teacher.weights:
        return False
    own = recipe.teacher_recipe()
    return own.student.model.weights is None and training_seconds(own, data) < SHORT_SECONDS


def thread_count(recipe: Recipe, data: Dataset, cpus: int) -> int:
    """Return the threads that train a teacher, one for a short training.

    With more, the last digits would depend on the number of processors.
    """
    return 1 if is_short_training(recipe, data) else cpus


def train_in_this_process(recipe: Recipe, data: Dataset, home: CacheHome) -> Iterator[Any]:
    """Yield the events and the result of a training in the driver.

    Raises UserError if the training fails.
    """
    threads_before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from events_and_warnings(recipe, data, LOGITS_ONLY, home)
    except Exception as error:
        raise teacher_error(f"teacher {recipe.teacher_recipe().student.model.name}", error) from None
    finally:
        torch.set_num_threads(threads_before)


def events_and_warnings(recipe: Recipe, data: Dataset, requested: RequestedOutputs, home: CacheHome) -> Iterator[Any]:
    """Train a teacher; yield its events, result and warnings.

    Warnings are strings, because a worker has no console. Epochs are sent without their state.
    """
    with captured_warnings() as lines:
        for item in train_teacher(recipe, data, requested, home):
            yield from (lines.pop(0) for _ in list(lines))
            if isinstance(item, EpochResult):
                yield item._replace(state=TrainingState(item.epoch, 0, {}, {}, {}))
            elif isinstance(item, TeacherResult) and not home.is_single_machine:
                yield item._replace(outputs=item.outputs.by_value())
            else:
                yield item


@contextmanager
def captured_warnings() -> Iterator[list[str]]:
    """Collect the warnings of the training code as lines."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("trainables")
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def teacher_error(name: str, cause: Exception) -> UserError:
    """Describe the failure of a teacher without a traceback."""
    return cause if isinstance(cause, UserError) else UserError(f"{name}: {type(cause).__name__}: {cause}")
