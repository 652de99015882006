"""Packs: students of one Ray trial.

On a GPU, students with equal pack keys are stacked into one network (trainables/packs). Otherwise short trainings take
turns in one trial, because starting and ending a trial costs Ray about 0.25 s.

Decision: "Short students of a grid share one Ray trial" (docs/decisions.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from search.students.spec import Pack, StudentSpec, teacher_json
from spaces.recipe import Recipe
from spaces.sections import NON_ADAPTIVE
from spaces.space import Space
from trainables.batches import steps_per_epoch, training_indices, uses_unlabeled
from trainables.cost import network_cost
from trainables.data import Dataset
from trainables.packs.pack_key import pack_key

MAX_PACK_SIZE = 64  # students
FULL_GPU_MACS = 2e11  # multiply-accumulates of a step that fully use a GPU
TURN_SECONDS = 2.0  # of training in one trial, about 8 times Ray's cost of a trial
STUDENT_OVERHEAD_SECONDS = 0.05  # rows, weights on disk and latency of one student
STEP_SECONDS = 1e-3  # of a step of the smallest network, without multiply-accumulates
MACS_PER_SECOND = 1e10  # of one CPU thread
TRIALS_PER_WORKER = 4  # at least, so that no worker is idle for long at the end
MIN_ROUNDS = 10  # of proposals, so that a sampler can use results


def group_into_packs(space: Space, data: Dataset, students: Iterable[StudentSpec], workers: int) -> list[Pack]:
    """Return packs with every student once.

    They are in the order of their first students.
    """
    students = list(students)
    stacked = _stacks_students(space)
    max_sequential = len(students) // (TRIALS_PER_WORKER * workers)
    groups = _stacked_groups(space, data, students) if stacked else _sequential_groups(data, students, max_sequential)
    order = {student.key: index for index, student in enumerate(students)}
    return [Pack(tuple(group), stacked) for group in sorted(groups, key=lambda group: order[group[0].key])]


def max_pack_size(space: Space, data: Dataset, workers: int) -> int:
    """Return the largest number of stacked students."""
    if not _stacks_students(space):
        return 1
    recipes = [space.fill(values, space.seeds[0]) for values in space.probes()]
    size = max((pack_size_limit(space, recipe, data) for recipe in recipes if pack_key(recipe)), default=1)
    return size if space.search.algorithm == "grid" else min(size, _proposal_batch(space, workers))


def _proposal_batch(space: Space, workers: int) -> int:
    """Return the number of students proposed at a time.

    Large batches fill packs; small ones let a sampler use the results in between.
    """
    if not _stacks_students(space):
        return 1
    largest = MAX_PACK_SIZE if space.resources.pack == "auto" else space.resources.pack
    if space.search.algorithm in NON_ADAPTIVE:
        return largest
    return max(1, min(largest, (space.search.trials or 0) // (MIN_ROUNDS * workers)))


def _stacks_students(space: Space) -> bool:
    """Return True if students are stacked.

    They are on request, and by default on a GPU. Stacking changes rounding, and saves little time on a CPU.
    """
    return space.resources.pack != "auto" or bool(space.resources.gpus)


def _stacked_groups(space: Space, data: Dataset, students: list[StudentSpec]) -> Iterator[list[StudentSpec]]:
    """Yield groups with equal pack keys, none larger than fills a GPU."""
    for group in _group_by(students, lambda student: pack_key(student.recipe) or student.key):
        yield from _equal_parts(group, pack_size_limit(space, group[0].recipe, data))


def _sequential_groups(data: Dataset, students: list[StudentSpec], max_size: int) -> Iterator[list[StudentSpec]]:
    """Yield groups with the same teacher, each trained in at most TURN_SECONDS."""
    for group in _group_by(students, lambda student: teacher_json(student.recipe)):
        yield from _timed_parts(group, data, max_size)


def _group_by(students: list[StudentSpec], label: Callable[[StudentSpec], str]) -> Iterable[list[StudentSpec]]:
    groups: dict[str, list[StudentSpec]] = defaultdict(list)
    for student in students:
        groups[label(student)].append(student)
    return groups.values()


def pack_size_limit(space: Space, recipe: Recipe, data: Dataset) -> int:
    """Return the largest pack of students with this network and batch size."""
    if space.resources.pack != "auto":
        return space.resources.pack
    macs = network_cost(recipe.network, data).macs * recipe.train.batch_size
    return max(1, min(MAX_PACK_SIZE, int(FULL_GPU_MACS // max(1, macs))))


def training_seconds(recipe: Recipe, data: Dataset) -> float:
    """Return the approximate training time of a small student.

    It is for one CPU thread, without the teacher.
    """
    images = len(training_indices(recipe.train, data.train.labels, uses_unlabeled(recipe)))
    macs = 3 * network_cost(recipe.network, data).macs * images  # forward, and backward to weights and to inputs
    epoch_seconds = steps_per_epoch(recipe.train, images) * STEP_SECONDS + macs / MACS_PER_SECOND
    return STUDENT_OVERHEAD_SECONDS + recipe.train.epochs * epoch_seconds


def _equal_parts(students: list[StudentSpec], max_size: int) -> Iterator[list[StudentSpec]]:
    """Yield parts of at most `max_size` students and nearly equal sizes."""
    parts = -(-len(students) // max_size)
    size = -(-len(students) // parts)
    return (students[i : i + size] for i in range(0, len(students), size))


def _timed_parts(students: list[StudentSpec], data: Dataset, max_size: int) -> Iterator[list[StudentSpec]]:
    """Yield parts of at most `max_size` students and TURN_SECONDS.

    A longer training is a part by itself.
    """
    part: list[StudentSpec] = []
    part_seconds = 0.0
    for student in students:
        seconds = training_seconds(student.recipe, data)
        if part and (len(part) >= max_size or part_seconds + seconds > TURN_SECONDS):
            yield part
            part, part_seconds = [], 0.0
        part.append(student)
        part_seconds += seconds
    yield part
