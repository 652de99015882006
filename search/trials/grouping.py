"""Packs: students of one Ray trial.

On request, students with equal pack keys are stacked into one network (trainables/packs). Otherwise short trainings
take turns in one trial, because starting and ending a trial costs Ray about 0.25 s.

Decision: "Short students of a grid share one Ray trial" (docs/decisions.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from search.students.spec import Pack, StudentSpec, teacher_json
from spaces.recipe import Recipe
from spaces.search_section import NON_ADAPTIVE
from spaces.space import Space
from trainables.batches import steps_per_epoch, training_indices, uses_unlabeled
from trainables.cost import network_cost
from trainables.data import Dataset
from trainables.packs.pack_key import pack_key

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
    max_stacked = space.resources.pack
    if max_stacked == "auto":
        groups = _sequential_groups(data, students, len(students) // (TRIALS_PER_WORKER * workers))
    else:
        groups = _stacked_groups(students, max_stacked)
    order = {student.key: index for index, student in enumerate(students)}
    in_order = sorted(groups, key=lambda group: order[group[0].key])
    return [Pack(tuple(group), stacked=max_stacked != "auto") for group in in_order]


def max_pack_size(space: Space, workers: int) -> int:
    """Return the largest number of stacked students."""
    size = space.resources.pack
    recipes = (space.fill(values, space.seeds[0]) for values in space.probes())
    if size == "auto" or not any(pack_key(recipe) for recipe in recipes):
        return 1
    if space.search.algorithm in ("grid", *NON_ADAPTIVE):
        return size
    # Large batches of proposals fill packs; small ones let a sampler use the results in between.
    return max(1, min(size, (space.search.trials or 0) // (MIN_ROUNDS * workers)))


def _stacked_groups(students: list[StudentSpec], max_size: int) -> Iterator[list[StudentSpec]]:
    """Yield groups with equal pack keys."""
    for group in _group_by(students, lambda student: pack_key(student.recipe) or student.key):
        yield from _equal_parts(group, max_size)


def _sequential_groups(data: Dataset, students: list[StudentSpec], max_size: int) -> Iterator[list[StudentSpec]]:
    """Yield groups with the same teacher, each trained in at most TURN_SECONDS."""
    for group in _group_by(students, lambda student: teacher_json(student.recipe)):
        yield from _timed_parts(group, data, max_size)


def _group_by(students: list[StudentSpec], label: Callable[[StudentSpec], str]) -> Iterable[list[StudentSpec]]:
    groups: dict[str, list[StudentSpec]] = defaultdict(list)
    for student in students:
        groups[label(student)].append(student)
    return groups.values()


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
