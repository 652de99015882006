"""Students to a table of two knobs: mean, deviation and n per cell, and which cells are not told from the highest."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import numpy
import pandas

from results import leaderboard, stats
from results.records import Row
from results.students import knob_columns
from spaces.errors import UserError, did_you_mean

Label = Any
BASELINE = ("baseline",)  # its name among the cells, which are named by their labels


class Grid(NamedTuple):
    """A table of two knobs: the labels of its rows and columns, and arrays [rows, columns] over the seeds.

    `alone` marks the cells that show the baseline, `best` the best by validation, `tied` the highest mean of the shown
    metric and the cells not detectably below it (none where that cannot be said, as with one seed); `fixed` are the
    other knobs and where they are held; `students` are those in the table.
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
    is_baseline: numpy.ndarray
    is_best: numpy.ndarray
    is_tied: numpy.ndarray
    metric: str
    fixed: dict[str, Label]
    students: pandas.DataFrame


def make_grid(
    students: pandas.DataFrame, x: str, y: str, metric: str = "test_accuracy", chosen_by: str = "val_accuracy"
) -> Grid:
    """The finished explored students as a table with columns `x` and rows `y`; raises UserError where one is no knob.

    Other knobs are held at the configuration that is best on validation. Where a teacher weight is a row or column, its 0
    shows the baseline in all its cells: it is the same training, and under it the temperature does nothing.
    """
    for name in (x, y):
        if name not in knob_columns(students):
            raise UserError(f"{name}: not a knob of this experiment{did_you_mean(name, knob_columns(students))}")
    members, fixed = _students_on_axes(students, x, y, chosen_by)
    row_labels, column_labels = sorted_labels(members[y]), sorted_labels(members[x])
    cells = [[_cell_students(members, {x: column, y: row}) for column in column_labels] for row in row_labels]
    shape = (len(row_labels), len(column_labels))

    def array(of: Callable[[pandas.DataFrame], Any], kind: type = float) -> numpy.ndarray:
        return numpy.array([[of(cell) for cell in row] for row in cells], dtype=kind).reshape(shape)

    n, score = array(len, int), array(lambda cell: leaderboard.sort_key(cell, chosen_by).mean())
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
        is_baseline=alone,
        is_best=_mark_best(score, full, alone),
        is_tied=_mark_tied(cells, members, (y, x), numpy.where(full, mean, numpy.nan), metric),
        metric=metric,
        fixed=fixed,
        students=members,
    )


def _students_on_axes(students: pandas.DataFrame, x: str, y: str, metric: str) -> tuple[pandas.DataFrame, Row]:
    done = students[students["status"] == "finished"]
    explored = done[done["stage"] == "explore"]
    others = [name for name in knob_columns(students) if name not in (x, y)]
    fixed = dict(leaderboard.build_leaderboard(explored, metric).iloc[0][others]) if len(explored) else {}
    alone = matching_baselines(done, fixed)
    if teacher_weight_axis(alone, (x, y)) is None:
        alone = alone.iloc[:0]
    if len(explored):  # confirming trains the baseline from more seeds than the cells had
        alone = alone[alone["seed"].isin(explored["seed"])]
    return pandas.concat([leaderboard.matching_students(explored, fixed).dropna(subset=[x, y]), alone]), fixed


def teacher_weight_axis(students: pandas.DataFrame, axes: tuple[str, str]) -> str | None:
    """Return the axis that is a teacher weight: the knob of the method that baselines have, as 0."""
    baselines = students[students["stage"] == "baseline"]
    return next((name for name in axes if name.startswith("method.") and baselines[name].notna().any()), None)


def matching_baselines(students: pandas.DataFrame, values: Row) -> pandas.DataFrame:
    """The finished baselines of a configuration: those that agree with it wherever they have the knob at all."""
    alone = students[(students["stage"] == "baseline") & (students["status"] == "finished")]
    for name in (name for name in values if not name.startswith("method.")):
        alone = alone[alone[name].isna() | (alone[name] == values[name])]
    return alone


def sorted_labels(values: pandas.Series) -> list[Label]:
    """The distinct labels: numbers by size, then words as they came."""
    known = list(dict.fromkeys(value for value in values if not pandas.isna(value)))
    numbers = [value for value in known if isinstance(value, int | float) and not isinstance(value, bool)]
    return sorted(numbers) + [value for value in known if value not in numbers]


def _cell_students(members: pandas.DataFrame, place: dict[str, Label]) -> pandas.DataFrame:
    baseline = members["stage"] == "baseline"
    here = pandas.Series(True, index=members.index)
    for name, label in place.items():
        here &= (members[name] == label) | (baseline & members[name].isna())
    return members[here]


def _mark_best(score: numpy.ndarray, full: numpy.ndarray, alone: numpy.ndarray) -> numpy.ndarray:
    """Marks the best by validation among the full cells: one, or all that show the same baseline."""
    best, full = numpy.zeros(score.shape, bool), full & ~numpy.isnan(score)
    if full.any():
        best[tuple(numpy.argwhere(full & (score == score[full].min()))[0])] = True
    return alone & full & (score == score[best].min()) if (best & alone).any() else best


def _mark_tied(
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
    p = stats.p_below_best(list(members[metric]), list(names), seed_blocks(members), highest)
    if p:
        p[highest] = 1.0
    return numpy.array([[p.get(name, 0.0) >= stats.LEVEL for name in line] for line in of]).reshape(mean.shape)


def treatments(members: pandas.DataFrame, axes: tuple[str, str]) -> pandas.Series:
    """What was done to each student, by its index: its labels on both axes, without the knobs it does not have."""
    pairs = zip(*(members[name] for name in axes), strict=True)
    names: list[Hashable] = [tuple(None if pandas.isna(label) else label for label in pair) for pair in pairs]
    return pandas.Series(names, index=members.index, dtype=object)


def seed_blocks(members: pandas.DataFrame) -> list[tuple]:
    """The seeds each student was trained from, its own and its teacher's: equal for students that are paired."""
    return list(zip(members["seed"], members["teacher_seed"].fillna(0), strict=True))


def grid_effects(table: Grid) -> list[stats.Effect]:
    """Whether rows, columns and their interaction do anything, the baseline left out; empty where it cannot be said."""
    students = table.students[table.students["stage"] != "baseline"]
    block = seed_blocks(students)
    if len(set(block)) < 2:
        return []
    return stats.effects(list(students[table.metric]), list(students[table.rows]), list(students[table.columns]), block)


def best_labels(table: Grid) -> tuple[Label, Label]:
    """The labels of the best cell, row and column."""
    row, column = numpy.argwhere(table.is_best)[0]
    return table.row_labels[row], table.column_labels[column]


def gain_over_baseline(table: Grid, students: pandas.DataFrame) -> stats.Difference | None:
    """The best cell minus the baseline, paired over the students' seeds, teachers averaged; None without either.

    The noise is pooled over all cells, the baseline one of them: three pairs alone would leave two degrees of freedom.
    """
    if not (table.is_best & ~table.is_baseline).any():
        return None
    here = dict(zip((table.rows, table.columns), best_labels(table), strict=True))
    theirs = matching_baselines(students, table.fixed | here)
    others = table.students.drop(index=theirs.index, errors="ignore")
    together = pandas.concat([others, theirs])
    names = [*treatments(others, (table.rows, table.columns)), *[BASELINE] * len(theirs)]
    # teachers are averaged, because a baseline, which has none, can only be paired with all of them at once
    means = together[table.metric].groupby([pandas.Series(names, together.index), together["seed"]], sort=False).mean()
    cells, seeds = (list(means.index.get_level_values(level)) for level in (0, 1))
    return stats.paired_difference(list(means), cells, seeds, best_labels(table), BASELINE)
