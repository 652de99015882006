"""What every student is taught from: the data, and the teacher's answers to it, computed once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trainables.data import Dataset


class Answers(NamedTuple):
    """A teacher's logits [n, classes], float32, for every image of each split, in the data set's order."""

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray


class Lesson(NamedTuple):
    """A data set and a teacher's answers to it; `teacher` is None for students that learn from labels alone."""

    data: Dataset
    teacher: Answers | None
