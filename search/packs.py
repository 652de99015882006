"""Which students are trained as one: those that are alike, as many as a worker can gain by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from search.students import Pack, Student
from spaces.recipe import Recipe
from spaces.space import Space
from trainables.check import price
from trainables.data import Dataset
from trainables.pack import likeness

MOST = 64  # students of a pack, however small they are
FULL = 2e11  # multiply-accumulates of a step that keep a GPU busy; more of them only take longer


def packs(space: Space, data: Dataset, students: Iterable[Student]) -> list[Pack]:
    """Every student once, in packs of likes, in the order of the first of each."""
    alike: dict[str, list[Student]] = defaultdict(list)
    order: dict[str, int] = {}
    for place, each in enumerate(students):
        order[each.key] = place
        alike[likeness(each.recipe) or each.key].append(each)
    made = [pack for some in alike.values() for pack in _cut(some, largest(space, some[0].recipe, data))]
    return sorted(made, key=lambda pack: order[pack.students[0].key])  # whole seeds first


def largest(space: Space, recipe: Recipe, data: Dataset) -> int:
    """How many students like this one a worker trains as one at most."""
    resources = space.resources
    if resources.pack != "auto":
        return resources.pack
    if not resources.gpus:  # packing rounds otherwise than training alone, and gains little on a processor
        return 1
    work = price(recipe.network, data).macs * recipe.train.batch_size
    return max(1, min(MOST, int(FULL // max(1, work))))


def _cut(students: list[Student], most: int) -> Iterator[Pack]:
    """Packs of at most so many, all but equally large."""
    n = -(-len(students) // most)
    size = -(-len(students) // n)
    return (Pack(tuple(students[i : i + size])) for i in range(0, len(students), size))
