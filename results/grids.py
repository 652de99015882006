"""Tables of two knobs: mean, deviation and n per cell, the best cell, and ties with the highest mean.

Decision: "Ties are relative to the highest cell, the bold cell is chosen by validation" (docs/decisions.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy
import pandas

from results import stats
from results.leaderboard import build_leaderboard, matching_students, sort_key, status_counts_text
from results.records import Row
from results.students import knob_columns
from results.ties import cell_names, seed_blocks, tied_cells
from spaces.errors import UserError, did_you_mean

Label = Any


class Grid(NamedTuple):
    """A table of two knobs.

    Arrays are [rows, columns], over the seeds. `n` counts finished students, `asked` all students of the search,
    `unfinished` is a text such as `1 failed`. `is_baseline` marks the cells of the baseline, `is_best` the best on
    validation, `is_tied` the highest mean of `metric` and the cells not detectably below it (none with one seed).
    `fixed` are the values of the other knobs. `students` has the finished students of all cells, `left_out` the others.
    """

    rows: str
    columns: str
    row_labels: list[Label]
    column_labels: list[Label]
    mean: numpy.ndarray
    std: numpy.ndarray
    n: numpy.ndarray
    asked: numpy.ndarray
    unfinished: numpy.ndarray
    val_mean: numpy.ndarray
    val_std: numpy.ndarray
    is_baseline: numpy.ndarray
    is_best: numpy.ndarray
    is_tied: numpy.ndarray
    metric: str
    fixed: dict[str, Label]
    students: pandas.DataFrame
    left_out: pandas.DataFrame


def make_grid(
    students: pandas.DataFrame,
    x: str,
    y: str,
    metric: str = "test_accuracy",
    chosen_by: str = "val_accuracy",
    options: Mapping[str, Sequence[Label]] | None = None,
) -> Grid:
    """Return the explored students as a table of columns `x` and rows `y`.

    Numbers are those of the finished students with the metric; the others are counted in their cells. Other knobs are
    held at the best configuration on validation. If a teacher weight is a row or column, all cells of its 0 show the
    baseline: it is the same training, and the other knobs of the method do nothing there.
    `options` has the labels of each choice, in the order of texts (see `sorted_labels`).
    Raises UserError for an unknown knob.
    """
    for name in (x, y):
        if name not in knob_columns(students):
            raise UserError(f"{name}: not a knob of this experiment{did_you_mean(name, knob_columns(students))}")
    chosen, fixed = _students_of_grid(students, x, y, chosen_by)
    is_scored = (chosen["status"] == "finished") & chosen[metric].notna()
    if not is_scored[chosen["stage"] == "baseline"].any():  # without a teacher there is no agreement with it
        is_scored = is_scored[chosen["stage"] != "baseline"]
        chosen = chosen.loc[is_scored.index]
    row_labels, column_labels = (
        _axis_labels(chosen[name], chosen[name][is_scored], (options or {}).get(name, ())) for name in (y, x)
    )
    requested = [[_cell_students(chosen, {x: column, y: row}) for column in column_labels] for row in row_labels]
    cells = [[cell[is_scored[cell.index]] for cell in row] for row in requested]
    unscored = [[cell["status"][~is_scored[cell.index]] for cell in row] for row in requested]
    shape = (len(row_labels), len(column_labels))

    def array(of: Callable[[Any], Any], kind: type = float, of_cells: Sequence[Sequence[Any]] = cells) -> numpy.ndarray:
        return numpy.array([[of(cell) for cell in row] for row in of_cells], dtype=kind).reshape(shape)

    n, score = array(len, int), array(lambda cell: sort_key(cell, chosen_by).mean())
    is_baseline = array(lambda cell: len(cell) > 0 and (cell["stage"] == "baseline").all(), bool)
    seeds = array(lambda cell: cell["seed"].nunique(), int)
    # seeds are counted for the baseline, as it has no teacher with several seeds
    is_full = numpy.where(is_baseline, seeds == seeds.max(initial=1), n == n[~is_baseline].max(initial=1))
    mean = array(lambda cell: cell[metric].mean())
    return Grid(
        rows=y,
        columns=x,
        row_labels=row_labels,
        column_labels=column_labels,
        mean=mean,
        std=array(lambda cell: cell[metric].std()),
        n=n,
        asked=array(len, int, requested),
        unfinished=array(lambda statuses: status_counts_text(Counter(statuses)), object, unscored),
        val_mean=array(lambda cell: cell["val_accuracy"].mean()),
        val_std=array(lambda cell: cell["val_accuracy"].std()),
        is_baseline=is_baseline,
        is_best=_mark_best(score, is_full, is_baseline),
        is_tied=_mark_tied(cells, chosen[is_scored], (y, x), numpy.where(is_full, mean, numpy.nan), metric),
        metric=metric,
        fixed=fixed,
        students=chosen[is_scored],
        left_out=chosen[~is_scored],
    )


def _axis_labels(column: pandas.Series, scored: pandas.Series, options: Sequence[Label]) -> list[Label]:
    """Return the labels of an axis, those without a score only of a choice.

    Of a range each student has a label of its own, so students stopped early would add a column each.
    """
    return sorted_labels(column[column.isin(list(options)) | column.index.isin(scored.index)], options)


def _students_of_grid(students: pandas.DataFrame, x: str, y: str, metric: str) -> tuple[pandas.DataFrame, Row]:
    """Return the students of a table, and the fixed knobs."""
    explored = students[students["stage"] == "explore"]
    other_knobs = [name for name in knob_columns(students) if name not in (x, y)]
    fixed = dict(build_leaderboard(explored, metric).iloc[0][other_knobs]) if len(explored) else {}
    baselines = matching_baselines(students, fixed)
    if teacher_weight_axis(baselines, (x, y)) is None:
        baselines = baselines.iloc[:0]
    if len(explored):  # the confirm stage has baselines of more seeds
        baselines = baselines[baselines["seed"].isin(explored["seed"])]
    return pandas.concat([matching_students(explored, fixed).dropna(subset=[x, y]), baselines]), fixed


def teacher_weight_axis(students: pandas.DataFrame, axes: tuple[str, str]) -> str | None:
    """Return the axis of a teacher weight, None without one.

    Of the knobs of the method, baselines have only the teacher weight, as 0.
    """
    baselines = students[students["stage"] == "baseline"]
    return next((name for name in axes if name.startswith("method.") and baselines[name].notna().any()), None)


def matching_baselines(students: pandas.DataFrame, values: Row) -> pandas.DataFrame:
    """Return the baselines of a configuration, of any status.

    They agree with it in every knob that they have; knobs of the method do not count.
    """
    baselines = students[students["stage"] == "baseline"]
    for name in (name for name in values if not name.startswith("method.")):
        baselines = baselines[baselines[name].isna() | (baselines[name] == values[name])]
    return baselines


def sorted_labels(values: pandas.Series, options: Sequence[Label] = ()) -> list[Label]:
    """Return the distinct labels, numbers by size, then texts.

    Texts have the order of `options`; those not in it are last, by first appearance.
    """
    labels = list(dict.fromkeys(value for value in values if not pandas.isna(value)))
    numbers = [label for label in labels if isinstance(label, int | float) and not isinstance(label, bool)]
    texts, order = [label for label in labels if label not in numbers], list(options)
    return sorted(numbers) + sorted(texts, key=lambda text: order.index(text) if text in order else len(order))


def _cell_students(students: pandas.DataFrame, labels: dict[str, Label]) -> pandas.DataFrame:
    baseline, inside = students["stage"] == "baseline", pandas.Series(True, index=students.index)
    for name, label in labels.items():
        inside &= (students[name] == label) | (baseline & students[name].isna())
    return students[inside]


def _mark_best(score: numpy.ndarray, is_full: numpy.ndarray, is_baseline: numpy.ndarray) -> numpy.ndarray:
    """Mark the best full cell on validation, or all cells of a best baseline."""
    is_best, candidates = numpy.zeros(score.shape, bool), is_full & ~numpy.isnan(score)
    if candidates.any():
        is_best[tuple(numpy.argwhere(candidates & (score == score[candidates].min()))[0])] = True
    if (is_best & is_baseline).any():
        return is_baseline & candidates & (score == score[is_best].min())
    return is_best


def _mark_tied(
    cells: list[list[pandas.DataFrame]],
    students: pandas.DataFrame,
    axes: tuple[str, str],
    mean: numpy.ndarray,
    metric: str,
) -> numpy.ndarray:
    """Mark the highest mean of full cells, and cells not detectably below it.

    The reference is not the cell chosen on validation: with few validation images, that cell may be chosen by chance.
    """
    if numpy.isnan(mean).all():
        return numpy.zeros(mean.shape, bool)
    names = cell_names(students, axes)
    names_of_cells = [[names[cell.index[0]] if len(cell) else None for cell in row] for row in cells]
    row, column = numpy.unravel_index(numpy.nanargmax(mean), mean.shape)
    tied = tied_cells(students, names, metric, names_of_cells[row][column])
    return numpy.array([[name in tied for name in line] for line in names_of_cells]).reshape(mean.shape)


def grid_effects(grid: Grid) -> list[stats.Effect]:
    """Return the effects of rows, columns and their interaction.

    The baseline is left out. Empty with one seed.
    """
    students = grid.students[grid.students["stage"] != "baseline"]
    blocks = seed_blocks(students)
    if len(set(blocks)) < 2:
        return []
    return stats.effects(list(students[grid.metric]), list(students[grid.rows]), list(students[grid.columns]), blocks)


def best_labels(grid: Grid) -> tuple[Label, Label]:
    """Return the labels of the best cell, row and column."""
    row, column = numpy.argwhere(grid.is_best)[0]
    return grid.row_labels[row], grid.column_labels[column]
