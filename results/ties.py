"""Ties: cells not distinguishable from the best on the test set."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import pandas

from results.contrasts import p_below_best
from results.leaderboard import label_tuples
from results.stats import LEVEL


def tied_cells(students: pandas.DataFrame, names: pandas.Series, metric: str, highest: Hashable) -> set[Hashable]:
    """Return the cells not detectably below `highest`, and itself.

    The test is paired over seeds, shrinks variances towards their pool, and is corrected for the number of cells.
    Empty if one seed leaves no noise to compare with.
    """
    p = p_below_best(list(students[metric]), list(names), seed_blocks(students), highest)
    return {highest, *(name for name, chance in p.items() if chance >= LEVEL)} if p else set()


def cell_names(students: pandas.DataFrame, knobs: Sequence[str]) -> pandas.Series:
    """Return each student's labels of these knobs, None for a missing one."""
    return pandas.Series(label_tuples(students, knobs), index=students.index, dtype=object)


def seed_blocks(students: pandas.DataFrame) -> list[tuple]:
    """Return each student's seed and its teacher's seed.

    Students with equal pairs are compared with each other.
    """
    return list(zip(students["seed"], students["teacher_seed"].fillna(0), strict=True))
