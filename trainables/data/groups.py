"""Superclasses: the knob `groups` joins classes of a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from spaces.errors import UserError, did_you_mean
from trainables.data.dataset import UNLABELED, Dataset, Split

# Classes by name, whatever the order of the labels. MNIST-2x5 of Müller, Kornblith and Hinton (2020) is
# [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]].
Groups = list[list[Any]] | None


def group_classes(data: Dataset, groups: Groups) -> Dataset:
    """Replace each label by the number of its class's group.

    Images and splits stay the same. None changes nothing. Raises UserError if a class is not in exactly one group.
    """
    if groups is None:
        return data
    names = [[str(label) for label in group] for group in groups]
    for problem in _group_problems(names, data):
        raise UserError(f"data.groups: {problem}")
    group_of = {label: number for number, group in enumerate(names) for label in group}
    number = np.array([group_of[label] for label in data.classes], np.int64)
    train, val, test = (
        Split(split.images, np.where(split.labels == UNLABELED, UNLABELED, number[split.labels.clip(0)]))
        for split in (data.train, data.val, data.test)
    )
    classes = tuple("+".join(group) for group in names)
    split = f"{data.split}; its {len(data.classes)} classes were then put into groups: {', '.join(classes)}"
    return data._replace(train=train, val=val, test=test, classes=classes, split=split)


def _group_problems(names: list[list[str]], data: Dataset) -> Iterator[str]:
    if len(names) < 2:
        yield f"found {len(names)}, expected at least two groups"
    yield from (f"group {number} is empty" for number, group in enumerate(names, 1) if not group)
    count = Counter(label for group in names for label in group)
    unknown = (label for label in count if label not in data.classes)
    yield from (f"{label} is no class of {data.name}{did_you_mean(label, data.classes)}" for label in unknown)
    for label in data.classes:
        if count[label] != 1:
            yield f"class {label} is in {'no group' if not count[label] else 'more than one place'}, expected one group"
