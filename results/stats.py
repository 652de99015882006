"""Tests of differences between cells against the noise of the seeds.

The model is always accuracy = cell + block + noise. A block is a seed (or a pair of student's and teacher's seed): the
cells of one seed share its initialisation and its order of images, and what they share says nothing about the knobs.
The noise is pooled over all cells, which is what gives three seeds any power. Models are compared by least squares,
nested one in the other, so that a missing cell or seed only costs degrees of freedom. See Montgomery, Design and
Analysis of Experiments, chapters 4 and 5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy
from scipy import special  # scipy.stats takes two seconds to import

LEVEL = 0.05
Array = numpy.ndarray
Numbers = Sequence[float] | Array


class Effect(NamedTuple):
    """One line of an analysis of variance.

    `p` is Holm-corrected over the lines of its table.
    """

    name: str
    f: float
    freedom: int
    residual_freedom: int
    p: float

    @property
    def detected(self) -> bool:
        """True if noise alone does this in under 5 % of experiments."""
        return self.p < LEVEL


class Difference(NamedTuple):
    """A difference of two cells, paired over n seeds.

    Its 95 % interval is NaN without residual degrees of freedom.
    """

    mean: float
    low: float
    high: float
    n: int
    freedom: int


class _LeastSquares(NamedTuple):
    squares: float
    rank: int


class _CellModel(NamedTuple):
    """Fitted model of cells and blocks.

    `inverse` weighs contrasts. `noise` is NaN without degrees of freedom.
    """

    y: Array
    names: list
    design: Array
    inverse: Array
    noise: float
    freedom: int


def effects(values: Numbers, rows: Sequence, columns: Sequence, blocks: Sequence) -> list[Effect]:
    """Return the effects of "rows", "columns" and their "interaction".

    All arguments have one entry per student. Empty without a residual.
    """
    y, block = numpy.asarray(values, float), indicators(blocks)
    row, column, cell = indicators(rows), indicators(columns), indicators(list(zip(rows, columns, strict=True)))
    full = _least_squares(y, block, cell)
    nested = {
        "rows": (_least_squares(y, block, column), _least_squares(y, block, row, column)),
        "columns": (_least_squares(y, block, row), _least_squares(y, block, row, column)),
        "interaction": (_least_squares(y, block, row, column), full),
    }
    if len(y) <= full.rank:
        return []
    tested = [_model_effect(name, *pair, full, len(y)) for name, pair in nested.items() if pair[1].rank > pair[0].rank]
    p_values = holm([effect.p for effect in tested])
    return [effect._replace(p=p) for effect, p in zip(tested, p_values, strict=True)]


def _model_effect(
    name: str, without: _LeastSquares, with_it: _LeastSquares, full: _LeastSquares, students: int
) -> Effect:
    freedom, left = with_it.rank - without.rank, students - full.rank
    explained, noise = (without.squares - with_it.squares) / freedom, full.squares / left
    f = explained / noise if noise > 0 else float("inf") if explained > 0 else 0.0
    return Effect(name, f, freedom, left, float(special.fdtrc(freedom, left, max(0.0, f))))


def _least_squares(y: Array, *parts: Array) -> _LeastSquares:
    design = numpy.hstack(parts)
    solution, _, rank, _ = numpy.linalg.lstsq(design, y, rcond=None)
    squares = float(((y - design @ solution) ** 2).sum())
    # equal numbers leave a rest of rounding errors, which must not be taken for noise
    return _LeastSquares(squares if squares > 1e-20 * float(y @ y) else 0.0, int(rank))


def indicators(labels: Sequence[Hashable]) -> Array:
    """One column of zeros and ones per distinct label: [students, labels]."""
    levels = {label: index for index, label in enumerate(dict.fromkeys(labels))}
    return numpy.eye(len(levels))[[levels[label] for label in labels]]


def holm(p: Sequence[float]) -> list[float]:
    """Return p values corrected for several tests (Holm 1979).

    The chance of one false finding among them all stays at the level.
    """
    order = numpy.argsort(p)
    corrected, largest = [0.0] * len(p), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[index]))
        corrected[index] = largest
    return corrected


def p_below_best(values: Numbers, cells: Sequence[Hashable], blocks: Sequence, best: Hashable) -> dict[Hashable, float]:
    """Return a corrected one-sided p per cell: the cell is below `best` by chance (Student's t).

    Bonferroni over all comparisons and not Holm, because `best` may be the cell that came out highest: then the truly
    best cell still is called worse in at most one of twenty experiments (Hsu, 1984, comparisons with the best).
    Empty without a residual; a cell that shares no seed with `best`, however indirectly, is left out.
    """
    model = _cell_model(values, cells, blocks)
    if model.freedom <= 0:
        return {}
    contrasts = {name: _contrast(model, best, name) for name in model.names if name != best}
    sound = {name: contrast for name, contrast in contrasts.items() if _estimable(model, contrast)}
    return {name: min(1.0, len(sound) * _one_sided(model, contrast)) for name, contrast in sound.items()}


def paired_difference(
    values: Numbers,
    cells: Sequence[Hashable],
    blocks: Sequence,
    ours: Hashable,
    reference: Hashable,
    candidates: int = 1,
) -> Difference | None:
    """Return the mean of cell `ours` − cell `reference` with its 95 % interval.

    The interval is Student's, from the noise pooled over all `cells`, Bonferroni-corrected if `ours` was chosen from
    several `candidates`. None if the two cells share no block.
    """
    seen = [{block for cell, block in zip(cells, blocks, strict=True) if cell == name} for name in (ours, reference)]
    n = len(seen[0] & seen[1])
    if not n:
        return None
    model = _cell_model(*_informative(values, cells, blocks, (ours, reference)))
    mean, deviation = _estimate(model, _contrast(model, ours, reference))
    quantile = float(special.stdtrit(model.freedom, 1 - LEVEL / 2 / candidates)) if model.freedom > 0 else float("nan")
    half = quantile * deviation
    return Difference(mean, mean - half, mean + half, n, model.freedom)


def _informative(
    values: Numbers, cells: Sequence[Hashable], blocks: Sequence, compared: tuple[Hashable, Hashable]
) -> tuple[list, list, list]:
    """Drop cells of one value, as these have no residual.

    The model of the rest is the same, and a search of thousands of configurations with one seed has a small one.
    """
    counts = Counter(cells)
    rows = zip(values, cells, blocks, strict=True)
    informative = [row for row in rows if counts[row[1]] > 1 or row[1] in compared]
    y, names, groups = (list(column) for column in zip(*informative, strict=True))
    return y, names, groups


def _cell_model(values: Numbers, cells: Sequence[Hashable], blocks: Sequence) -> _CellModel:
    y, cell, block = numpy.asarray(values, float), indicators(cells), indicators(blocks)
    design, full = numpy.hstack([cell, block]), _least_squares(y, cell, block)
    freedom = len(y) - full.rank
    noise = full.squares / freedom if freedom > 0 else float("nan")
    return _CellModel(y, list(dict.fromkeys(cells)), design, numpy.linalg.pinv(design), noise, freedom)


def _contrast(model: _CellModel, ours: Hashable, reference: Hashable) -> Array:
    contrast = numpy.zeros(model.design.shape[1])
    contrast[model.names.index(ours)], contrast[model.names.index(reference)] = 1.0, -1.0
    return contrast


def _estimable(model: _CellModel, contrast: Array) -> bool:
    """True for a difference of cells.

    A contrast outside the row space of the design compares cells of different seeds.
    """
    return numpy.allclose(contrast @ model.inverse @ model.design, contrast)


def _estimate(model: _CellModel, contrast: Array) -> tuple[float, float]:
    """Return a difference of cells, the blocks held, and its standard error."""
    weights = contrast @ model.inverse
    return float(weights @ model.y), float(numpy.sqrt(model.noise * (weights @ weights)))


def _one_sided(model: _CellModel, contrast: Array) -> float:
    mean, deviation = _estimate(model, contrast)
    if deviation == 0:
        return 0.0 if mean > 1e-10 else 1.0
    return float(special.stdtr(model.freedom, -mean / deviation))
