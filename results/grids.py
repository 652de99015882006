"""Students to a table of two knobs: mean, deviation and n per cell, and which cells are not told from the highest."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import numpy
import pandas

from results import leaderboard, stats
from results.records import Row
from results.students import knobs
from spaces.errors import UserError, nearest

Label = Any
BASELINE = ("baseline",)  # its name among the cells, which are named by their labels


class Grid(NamedTuple):
    """A table of two knobs: the labels of its rows and columns, and arrays [rows, columns] over the seeds.

    `alone` marks the cells that show the baseline, `best` the best by validation, `tied` the highest mean of the shown
    metric and the cells not detectably below it (none where that cannot be said, as with one seed); `fixed` are the
    other knobs and where they are held; `members` are the students in the table.
    """

    rows: str
    columns: str
    row_labels: list[Label]
    column_labels: list[Label]
    mean: numpy.ndarray
    std: numpy.ndarray
    n: numpy.ndarray
    val_mean: numpy.ndarray
    val_std: numpy.ndarray
    alone: numpy.ndarray
    best: numpy.ndarray
    tied: numpy.ndarray
    metric: str
    fixed: dict[str, Label]
    members: pandas.DataFrame


def grid(
    students: pandas.DataFrame, x: str, y: str, metric: str = "test_accuracy", chosen_by: str = "val_accuracy"
) -> Grid:
    """The finished explored students as a table with columns `x` and rows `y`; raises UserError where one is no knob.

    Other knobs are held at the configuration that is best on validation. Where alpha is a row or column, alpha = 0
    shows the baseline in all its cells: it is the same training, and under it the temperature does nothing.
    """
    for name in (x, y):
        if name not in knobs(students):
            raise UserError(f"{name}: not a knob of this experiment{nearest(name, knobs(students))}")
    members, fixed = _members(students, x, y, chosen_by)
    row_labels, column_labels = labels(members[y]), labels(members[x])
    cells = [[_cell(members, {x: column, y: row}) for column in column_labels] for row in row_labels]
    shape = (len(row_labels), len(column_labels))

    def array(of: Callable[[pandas.DataFrame], Any], kind: type = float) -> numpy.ndarray:
        return numpy.array([[of(cell) for cell in row] for row in cells], dtype=kind).reshape(shape)

    n, score = array(len, int), array(lambda cell: leaderboard.score(cell, chosen_by).mean())
    alone = array(lambda cell: len(cell) > 0 and (cell["stage"] == "baseline").all(), bool)
    seeds = array(lambda cell: cell["seed"].nunique(), int)
    # a baseline has no teacher whose seed could vary: its seeds are counted, not its students
    full = numpy.where(alone, seeds == seeds.max(initial=1), n == n[~alone].max(initial=1))
    mean = array(lambda cell: cell[metric].mean())
    return Grid(
        rows=y,
        columns=x,
        row_labels=row_labels,
        column_labels=column_labels,
        mean=mean,
        std=array(lambda cell: cell[metric].std()),
        n=n,
        val_mean=array(lambda cell: cell["val_accuracy"].mean()),
        val_std=array(lambda cell: cell["val_accuracy"].std()),
        alone=alone,
        best=_best(score, full, alone),
        tied=_tied(cells, members, (y, x), numpy.where(full, mean, numpy.nan), metric),
        metric=metric,
        fixed=fixed,
        members=members,
    )


def _members(students: pandas.DataFrame, x: str, y: str, metric: str) -> tuple[pandas.DataFrame, Row]:
    done = students[students["status"] == "finished"]
    explored = done[done["stage"] == "explore"]
    others = [name for name in knobs(students) if name not in (x, y)]
    fixed = dict(leaderboard.leaderboard(explored, metric).iloc[0][others]) if len(explored) else {}
    alone = reference(done, fixed) if "method.alpha" in (x, y) else done.iloc[:0]
    if len(explored):  # confirming trains the baseline from more seeds than the cells had
        alone = alone[alone["seed"].isin(explored["seed"])]
    return pandas.concat([leaderboard.matching(explored, fixed).dropna(subset=[x, y]), alone]), fixed


def reference(students: pandas.DataFrame, values: Row) -> pandas.DataFrame:
    """The finished baselines of a configuration: those that agree with it wherever they have the knob at all."""
    alone = students[(students["stage"] == "baseline") & (students["status"] == "finished")]
    for name in (name for name in values if not name.startswith("method.")):
        alone = alone[alone[name].isna() | (alone[name] == values[name])]
    return alone


def labels(values: pandas.Series) -> list[Label]:
    """The distinct labels: numbers by size, then words as they came."""
    known = list(dict.fromkeys(value for value in values if not pandas.isna(value)))
    numbers = [value for value in known if isinstance(value, int | float) and not isinstance(value, bool)]
    return sorted(numbers) + [value for value in known if value not in numbers]


def _cell(members: pandas.DataFrame, place: dict[str, Label]) -> pandas.DataFrame:
    baseline = members["stage"] == "baseline"
    here = pandas.Series(True, index=members.index)
    for name, label in place.items():
        here &= (members[name] == label) | (baseline & members[name].isna())
    return members[here]


def _best(score: numpy.ndarray, full: numpy.ndarray, alone: numpy.ndarray) -> numpy.ndarray:
    """Marks the best by validation among the full cells: one, or all that show the same baseline."""
    best, full = numpy.zeros(score.shape, bool), full & ~numpy.isnan(score)
    if full.any():
        best[tuple(numpy.argwhere(full & (score == score[full].min()))[0])] = True
    return alone & full & (score == score[best].min()) if (best & alone).any() else best


def _tied(
    cells: list[list[pandas.DataFrame]],
    members: pandas.DataFrame,
    axes: tuple[str, str],
    mean: numpy.ndarray,
    metric: str,
) -> numpy.ndarray:
    """Marks the highest mean, of full cells, and whatever the luck of the seeds explains as well.

    Not relative to the cell that validation chose: with few validation images that one is a lucky one among many.
    """
    if numpy.isnan(mean).all():
        return numpy.zeros(mean.shape, bool)
    names = treatments(members, axes)
    of = [[names[cell.index[0]] if len(cell) else None for cell in row] for row in cells]
    row, column = numpy.unravel_index(numpy.nanargmax(mean), mean.shape)
    highest = of[row][column]
    p = stats.worse(list(members[metric]), list(names), blocks(members), highest)
    if p:
        p[highest] = 1.0
    return numpy.array([[p.get(name, 0.0) >= stats.LEVEL for name in line] for line in of]).reshape(mean.shape)


def treatments(members: pandas.DataFrame, axes: tuple[str, str]) -> pandas.Series:
    """What was done to each student, by its index: its labels on both axes, without the knobs it does not have."""
    pairs = zip(*(members[name] for name in axes), strict=True)
    names: list[Hashable] = [tuple(None if pandas.isna(label) else label for label in pair) for pair in pairs]
    return pandas.Series(names, index=members.index, dtype=object)


def blocks(members: pandas.DataFrame) -> list[tuple]:
    """The seeds each student was trained from, its own and its teacher's: equal for students that are paired."""
    return list(zip(members["seed"], members["teacher_seed"].fillna(0), strict=True))


def effects(table: Grid) -> list[stats.Effect]:
    """Whether rows, columns and their interaction do anything, the baseline left out; empty where it cannot be said."""
    students = table.members[table.members["stage"] != "baseline"]
    block = blocks(students)
    if len(set(block)) < 2:
        return []
    return stats.effects(list(students[table.metric]), list(students[table.rows]), list(students[table.columns]), block)


def place(table: Grid) -> tuple[Label, Label]:
    """The labels of the best cell, row and column."""
    row, column = numpy.argwhere(table.best)[0]
    return table.row_labels[row], table.column_labels[column]


def gain(table: Grid, students: pandas.DataFrame) -> stats.Difference | None:
    """The best cell minus the baseline, paired over the students' seeds, teachers averaged; None without either.

    The noise is pooled over all cells, the baseline one of them: three pairs alone would leave two degrees of freedom.
    """
    if not (table.best & ~table.alone).any():
        return None
    here = dict(zip((table.rows, table.columns), place(table), strict=True))
    theirs = reference(students, table.fixed | here)
    others = table.members.drop(index=theirs.index, errors="ignore")
    together = pandas.concat([others, theirs])
    names = [*treatments(others, (table.rows, table.columns)), *[BASELINE] * len(theirs)]
    # teachers are averaged, because a baseline, which has none, can only be paired with all of them at once
    means = together[table.metric].groupby([pandas.Series(names, together.index), together["seed"]], sort=False).mean()
    cells, seeds = (list(means.index.get_level_values(level)) for level in (0, 1))
    return stats.difference(list(means), cells, seeds, place(table), BASELINE)
