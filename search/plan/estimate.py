"""Estimated cost of a search: students, epochs, seconds and megabytes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from time import perf_counter
from typing import NamedTuple

import torch

from search.plan import footprint
from search.plan.dummy_teacher import dummy_distillation_data
from search.students.candidates import all_teacher_recipes, students_per_teacher
from search.students.spec import StudentSpec
from search.trials.short_teachers import is_short_training
from spaces.knob_paths import is_baseline_knob, is_distillation_knob
from spaces.label import label_text
from spaces.recipe import Recipe
from spaces.space import Space
from trainables.augment import view_count
from trainables.batches import steps_per_epoch, training_indices, uses_unlabeled
from trainables.cost import network_cost
from trainables.data import Dataset, Split
from trainables.device import tensor_dtype
from trainables.distillation_data import RequestedOutputs, requested_outputs
from trainables.fit import fit
from trainables.output import random_inputs
from trainables.teachers.train import LOGITS_ONLY, is_cached

TIMED_STEPS = 4  # after as many warm-up steps
TIMING_SECONDS = 2.0  # after which timing ends, if two steps are timed
OPTIONS_SECONDS = 6.0  # after which no further method or network is timed
IMPORT_SECONDS = 2.5  # CPU seconds for importing torch and Ray; `python -m search.run` passes its own
STARTUP_COST = 3.5  # Ray start-up, worker imports and final tables, in units of IMPORT_SECONDS
STUDENT_COST = 1 / 65  # rows, weights on disk and Ray's work for one student, in units of IMPORT_SECONDS
MAX_STEP_MACS = 4 * 10**9  # multiply-accumulates in the forward pass of a timed step
MAX_STEP_VALUES = 2 * 10**7  # activations in a timed step; deep networks with few channels are limited by memory


class Plan(NamedTuple):
    """Numbers of students, teachers and epochs, at most, and estimated cost."""

    students: dict[str, int]  # by stage
    teachers: int
    stage_epochs: dict[str, int]  # of all students of a stage
    seconds: float
    megabytes: float  # weights on disk
    teacher_seconds: float  # included in `seconds`
    teacher_epochs: int = 0  # of the teachers that are not cached

    @property
    def epochs(self) -> int:
        """Epochs of all students."""
        return sum(self.stage_epochs.values())

    @property
    def epoch_seconds(self) -> float:
        """Seconds per epoch of students, all workers together."""
        return (self.seconds - self.teacher_seconds) / max(1, self.epochs)

    @property
    def teacher_epoch_seconds(self) -> float | None:
        """Seconds per epoch of a teacher, None without a new one."""
        return self.teacher_seconds / self.teacher_epochs if self.teacher_epochs else None


class Pace(NamedTuple):
    """Seconds of an epoch with its validation, and of one image."""

    epoch_seconds: float
    image_seconds: float


def estimate_plan(
    space: Space, data: Dataset, grid: Sequence[StudentSpec], workers: int, import_seconds: float = IMPORT_SECONDS
) -> Plan:
    """Count students and epochs and estimate their cost.

    A few steps of students of different methods and networks and of each new teacher are timed. `grid` holds the
    students of a grid search (candidates.grid_students); other algorithms have none.
    """
    students = _count_students(space, grid)
    total = sum(students.values())
    teachers = all_teacher_recipes(students_per_teacher(space))
    uncached = _students_without_cached_teacher(space, data)
    new_teachers = all_teacher_recipes(uncached)
    outputs = requested_outputs(space.fill(values, 0) for values in space.probes())
    pace = _mean_pace(space, data)
    epochs = _count_epochs(space, students, grid)
    student_seconds = _full_epochs(space, data, grid) * pace.epoch_seconds
    student_seconds += len(data.test.labels) * pace.image_seconds
    student_seconds += STUDENT_COST * import_seconds
    teacher_process = any(not is_short_training(student.recipe, data) for student in uncached)
    teacher_process |= bool(teachers) and outputs != LOGITS_ONLY  # a process that imports once more
    seconds = (STARTUP_COST + teacher_process) * import_seconds + -(-total // workers) * student_seconds
    teacher_seconds = sum(_teacher_seconds(teacher, data, outputs) for teacher in new_teachers)
    networks = (space.fill(values, 0).network for values in space.probes())
    megabytes = total * max(footprint.weights_bytes(network, data) for network in networks) / 2**20
    teacher_epochs = sum(teacher.train.epochs for teacher in new_teachers)
    return Plan(students, len(teachers), epochs, seconds + teacher_seconds, megabytes, teacher_seconds, teacher_epochs)


def _count_students(space: Space, grid: Sequence[StudentSpec]) -> dict[str, int]:
    """Return the number of students of each stage, at most."""
    students = Counter({"explore": 0, "baseline": 0, "confirm": 0})
    if space.search.algorithm == "grid":
        students.update(student.stage for student in grid)
    else:
        students["explore"] = space.search.trials or 0
    if space.confirm:
        options = _count_options(space, space.confirm.per)
        confirmed = (space.confirm.top or students["explore"]) * options
        students["confirm"] = confirmed * len(space.confirm.seeds) * len(space.teacher_seeds)
        per = space.confirm.per
        baselines = confirmed if space.search.metrics or (per and not is_distillation_knob(per)) else 1
        students["baseline"] += len(space.confirm.seeds) * baselines
    elif space.search.algorithm != "grid":
        students["baseline"] = len(space.seeds) * (students["explore"] if space.search.metrics else 1)
    if space.baseline:  # its search, and the best of it with each seed
        repeats = (space.confirm.top or 1) * len(space.confirm.seeds) if space.confirm else len(space.seeds) - 1
        students["baseline"] += _count_baseline_searches(space) * (space.baseline.trials + repeats)
    return dict(students)


def _count_baseline_searches(space: Space) -> int:
    """Return the most networks that `confirm.per` may compare."""
    network = [path for path, _ in space.domains if not is_distillation_knob(path) and not is_baseline_knob(path)]
    if space.confirm is None or space.confirm.per is None or not network:
        return 1
    return (space.confirm.top or 1) * _count_options(space, space.confirm.per)


def _count_options(space: Space, knob: str | None) -> int:
    """Return the number of options of a knob, 1 for none."""
    return len({label_text(values[knob]) for values in space.probes() if knob in values}) if knob else 1


def _count_epochs(space: Space, students: dict[str, int], grid: Sequence[StudentSpec]) -> dict[str, int]:
    """Return the epochs of each stage; students not in the grid count as the longest."""
    epochs = {stage: count * space.longest_training for stage, count in students.items()}
    for stage in {student.stage for student in grid}:
        enumerated = [student.recipe.train.epochs for student in grid if student.stage == stage]
        epochs[stage] = sum(enumerated) + (students[stage] - len(enumerated)) * space.longest_training
    return epochs


def _full_epochs(space: Space, data: Dataset, grid: Sequence[StudentSpec]) -> float:
    """Return the mean epochs of a grid's students.

    Other searches return the most epochs of a student. An epoch of fewer training images counts as less.
    """
    recipes = [student.recipe for student in grid] or [space.fill(values, 0) for values in space.probes()]
    full_epochs = [recipe.train.epochs * _image_share(recipe, data) for recipe in recipes]
    return fmean(full_epochs) if grid else max(full_epochs)


def _mean_pace(space: Space, data: Dataset) -> Pace:
    """Return the mean pace of students on all training images.

    One student of each method and network is timed, until OPTIONS_SECONDS are over.
    """
    paces: list[Pace] = []
    timed = set()
    began = perf_counter()
    for values in reversed(space.probes()):
        recipe = space.fill(values, space.seeds[0], space.teacher_seeds[0])
        option = (recipe.method.name, recipe.network.model_dump_json(), recipe.train.batch_size)
        if option in timed or (paces and perf_counter() - began > OPTIONS_SECONDS):
            continue
        timed.add(option)
        pace = measure_pace(recipe, data, max(1, int(space.resources.cpus)))
        paces.append(pace._replace(epoch_seconds=pace.epoch_seconds / _image_share(recipe, data)))
    return Pace(fmean(pace.epoch_seconds for pace in paces), fmean(pace.image_seconds for pace in paces))


def _image_share(recipe: Recipe, data: Dataset) -> float:
    """Return the share of the training images that a recipe uses."""
    images = len(data.train.labels)
    return (recipe.train.images or images) / images


def _students_without_cached_teacher(space: Space, data: Dataset) -> list[StudentSpec]:
    return [student for student in students_per_teacher(space) if not is_cached(student.recipe, data)]


def _teacher_seconds(teacher: Recipe, data: Dataset, outputs: RequestedOutputs) -> float:
    """Return the seconds of a teacher and its outputs, on all CPUs."""
    pace = measure_pace(teacher, data, os.cpu_count() or 1)
    views = len(data.train.labels) * sum(view_count(policy) for policy in outputs.policies)
    return teacher.train.epochs * pace.epoch_seconds + (sum(data.sizes.values()) + views) * pace.image_seconds


def measure_pace(recipe: Recipe, data: Dataset, threads: int = 1) -> Pace:
    """Time a few training steps on random images of the right shape.

    If the recipe fails, its baseline is timed: the error belongs in the rows of the student.
    """
    training_images = len(training_indices(recipe.train, data.train.labels, uses_unlabeled(recipe)))
    batch = min(recipe.train.batch_size, training_images)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        images = min(batch, _max_timed_images(recipe, data))
        step_seconds, image_seconds = _time_steps(recipe, data, images)
    except Exception:
        return measure_pace(recipe.baseline(), data, threads) if recipe.teacher else Pace(0.0, 0.0)
    finally:
        torch.set_num_threads(threads_before)
    steps = steps_per_epoch(recipe.train, training_images)
    return Pace(step_seconds * batch / images * steps + len(data.val.labels) * image_seconds, image_seconds)


def _max_timed_images(recipe: Recipe, data: Dataset) -> int:
    """Return the largest batch of a timed step, at least 2."""
    values = sum(footprint.layer_sizes(footprint.meta_network(recipe.network, data), data))
    return max(2, min(MAX_STEP_MACS // max(1, network_cost(recipe.network, data).macs), MAX_STEP_VALUES // values))


def _time_steps(recipe: Recipe, data: Dataset, size: int) -> tuple[float, float]:
    """Return the seconds of a step and of one image.

    The step has `size` random images. Both are means of the later half of the steps.
    """
    images = random_inputs(size, data.shape, tensor_dtype(data.train.images)).numpy()
    split = Split(images, torch.zeros(size, dtype=torch.int64).numpy())
    small = data._replace(train=split, val=split, test=split)
    # A searched learning rate may be one at which a student diverges at once.
    changes = {"epochs": 2 * TIMED_STEPS, "lr": 1e-6, "head_first": None, "batch_size": size}
    short = recipe.model_copy(update={"train": recipe.train.model_copy(update=changes)})
    step_seconds: list[float] = []
    scoring_seconds: list[float] = []
    last = began = perf_counter()
    for epoch in fit(short, dummy_distillation_data(recipe, small)):  # an epoch is one step
        now = perf_counter()
        step_seconds.append(epoch.epoch_seconds)
        scoring_seconds.append(now - last - epoch.epoch_seconds)
        last = now
        if len(step_seconds) > 1 and now - began > TIMING_SECONDS:
            break
    half = len(step_seconds) // 2
    return fmean(step_seconds[half:]), fmean(scoring_seconds[half:]) / size
