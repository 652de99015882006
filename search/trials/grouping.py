"""Which students share a Ray trial: alike ones that are trained as one, and brief ones that take turns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from search.algorithms import FORGETFUL
from search.students.spec import Pack, StudentSpec, teacher_of
from spaces.recipe import Recipe
from spaces.space import Space
from trainables.batches import steps_per_epoch
from trainables.data import Dataset
from trainables.packs.alike import pack_key
from trainables.validate import price

MOST = 64  # students of a pack, however small they are
FULL = 2e11  # multiply-accumulates of a step that keep a GPU busy; more of them only take longer
TURN = 2.0  # seconds of training that are worth a Ray trial, whose start and end take Ray a quarter of a second
BESIDES = 0.05  # seconds of a student besides its training: its rows, its weights on disk, its latency
STEP = 1e-3  # seconds of a step of the smallest network; what larger ones take besides is their products
RATE = 1e10  # multiply-accumulates a second
LEAST = 4  # trials for each worker, lest some have nothing to do at the end
ROUNDS = 10  # of proposals at least, of whose ends a sampler learns


def packs(space: Space, data: Dataset, students: Iterable[StudentSpec], workers: int) -> list[Pack]:
    """Every student once, ordered by the first of each pack: likes as one where that pays, or brief ones in turn."""
    students = list(students)
    as_one = _as_one(space)
    parts = _alike(space, data, students) if as_one else _in_turn(data, students, len(students) // (LEAST * workers))
    order = {each.key: place for place, each in enumerate(students)}
    ordered = sorted(parts, key=lambda part: order[part[0].key])  # whole seeds first
    return [Pack(tuple(part), as_one) for part in ordered]


def _batch(space: Space, workers: int) -> int:
    """How many students an adaptive search proposes at once: enough for packs, few enough to learn in between."""
    if not _as_one(space):
        return 1
    most = MOST if space.resources.pack == "auto" else space.resources.pack
    if space.search.algorithm in FORGETFUL:
        return most
    return max(1, min(most, (space.search.trials or 0) // (ROUNDS * workers)))


def widest(space: Space, data: Dataset, workers: int) -> int:
    """How many students of a space are trained as one at most."""
    if not _as_one(space):
        return 1
    recipes = [space.fill(values, space.seeds[0]) for values in space.probes()]
    most = max((largest(space, each, data) for each in recipes if pack_key(each)), default=1)
    return most if space.search.algorithm == "grid" else min(most, _batch(space, workers))


def _as_one(space: Space) -> bool:
    """Whether likes are trained as one: that rounds otherwise than training alone, and gains little on a processor."""
    return space.resources.pack != "auto" or bool(space.resources.gpus)


def _alike(space: Space, data: Dataset, students: list[StudentSpec]) -> Iterator[list[StudentSpec]]:
    """Parts of likes, each of which is worth being trained as one."""
    for some in _grouped(students, lambda each: pack_key(each.recipe) or each.key):
        yield from _cut(some, largest(space, some[0].recipe, data))


def _in_turn(data: Dataset, students: list[StudentSpec], most: int) -> Iterator[list[StudentSpec]]:
    """Parts of at most so many under one teacher, each of which takes no longer than a turn."""
    for some in _grouped(students, lambda each: teacher_of(each.recipe)):
        yield from _filled(some, data, most)


def _grouped(students: list[StudentSpec], label: Callable[[StudentSpec], str]) -> Iterable[list[StudentSpec]]:
    found: dict[str, list[StudentSpec]] = defaultdict(list)
    for each in students:
        found[label(each)].append(each)
    return found.values()


def largest(space: Space, recipe: Recipe, data: Dataset) -> int:
    """How many students like this one a worker trains as one at most."""
    if space.resources.pack != "auto":
        return space.resources.pack
    work = price(recipe.network, data).macs * recipe.train.batch_size
    return max(1, min(MOST, int(FULL // max(1, work))))


def seconds(recipe: Recipe, data: Dataset) -> float:
    """About how long a small student takes one thread; a teacher that is asked in every step is left out."""
    images = len(data.train.labels)
    products = 3 * price(recipe.network, data).macs * images  # forward, and backward to weights and to inputs
    return BESIDES + recipe.train.epochs * (steps_per_epoch(recipe.train, images) * STEP + products / RATE)


def _cut(students: list[StudentSpec], most: int) -> Iterator[list[StudentSpec]]:
    """Parts of at most so many, all but equally large."""
    n = -(-len(students) // most)
    size = -(-len(students) // n)
    return (students[i : i + size] for i in range(0, len(students), size))


def _filled(students: list[StudentSpec], data: Dataset, most: int) -> Iterator[list[StudentSpec]]:
    """Parts of at most so many that take no longer than a turn, and of single students that do."""
    part: list[StudentSpec] = []
    taken = 0.0
    for each in students:
        own = seconds(each.recipe, data)
        if part and (len(part) >= most or taken + own > TURN):
            yield part
            part, taken = [], 0.0
        part.append(each)
        taken += own
    yield part
