"""Tests of differences between cells against the noise of the seeds.

The model is always accuracy = cell + block + noise. A block is a seed (or a pair of student's and teacher's seed): the
cells of one seed share its initialisation and its order of images, and what they share says nothing about the knobs.
The variance of each cell is shrunk towards the pool of all, which gives three seeds some power (results/noise.py).
Models are compared by least squares, nested one in the other, so that a missing cell or seed only costs degrees of
freedom. See Montgomery, Design and Analysis of Experiments, chapters 4 and 5.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy
from scipy import special  # scipy.stats takes two seconds to import

from results.noise import residual_variances, structured_variances

LEVEL = 0.05
MOST_RATIO = 2.0  # of the shrunk variances of two cells, up to which an analysis of variance pools them
Array = numpy.ndarray
Numbers = Sequence[float] | Array


class Effect(NamedTuple):
    """One line of an analysis of variance.

    `p` is Holm-corrected over the lines of its table. Degrees of freedom are whole numbers if variances are pooled.
    """

    name: str
    f: float
    freedom: float
    residual_freedom: float
    p: float
    is_pooled: bool = True

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


class CellModel(NamedTuple):
    """Fitted model of cells and blocks.

    `cells` are indicators [students, cells], `design` the same less the means of the blocks, and its pseudo-inverse
    weighs contrasts of cells. `variances` are [cells], shrunk, with `freedoms`; `own_variances` are not shrunk, with
    `own_freedom` each. Zero without residual degrees of freedom.
    """

    y: Array
    names: list
    cells: Array
    design: Array
    inverse: Array
    variances: Array
    freedoms: Array
    own_variances: Array
    own_freedom: float
    freedom: int


def effects(values: Numbers, rows: Sequence, columns: Sequence, blocks: Sequence) -> list[Effect]:
    """Return the effects of "rows", "columns" and their "interaction".

    All arguments have one entry per student. Empty without a residual.
    """
    y, block = numpy.asarray(values, float), indicators(blocks)
    names = list(zip(rows, columns, strict=True))
    row, column, cell = indicators(rows), indicators(columns), indicators(names)
    parts = {"rows": (column,), "columns": (row,), "interaction": (row, column)}
    full, with_both = _least_squares(y, block, cell), _least_squares(y, block, row, column)
    if len(y) <= full.rank:
        return []
    models = {name: _least_squares(y, block, *rest) for name, rest in parts.items()}
    pairs = {name: (model, full if name == "interaction" else with_both) for name, model in models.items()}
    tested = [_model_effect(name, *pair, full, len(y)) for name, pair in pairs.items() if pair[1].rank > pair[0].rank]
    model = _fit_cells(y, list(dict.fromkeys(names)), cell, block.argmax(1))
    if model.variances.max() > MOST_RATIO * model.variances.min():
        full_designs = {name: (block, cell) if name == "interaction" else (block, row, column) for name in parts}
        tested = [_unequal_effect(name, (block, *parts[name]), full_designs[name], model) for name, *_ in tested]
    p_values = holm([effect.p for effect in tested])
    return [effect._replace(p=p) for effect, p in zip(tested, p_values, strict=True)]


def _unequal_effect(name: str, without: tuple[Array, ...], with_it: tuple[Array, ...], fitted: CellModel) -> Effect:
    """Return the effect tested with a variance for each cell.

    The squares that it explains are divided by those that noise of these variances explains, with Box's degrees of
    freedom (Brunner, Dette and Munk 1997). `without` and `with_it` are the designs that it is tested between.
    """
    small, large = orthonormal_basis(*without), orthonormal_basis(*with_it)
    projection = large @ large.T - small @ small.T
    variances = fitted.cells @ fitted.own_variances
    shares = (numpy.diag(projection) @ fitted.cells) * fitted.own_variances
    expected = float(shares.sum())
    weighted = projection * variances
    freedom = expected**2 / float((weighted * weighted.T).sum())
    residual_freedom = expected**2 / float((shares**2).sum()) * fitted.own_freedom
    f = max(0.0, float(fitted.y @ projection @ fitted.y) / expected)
    p = float(special.fdtrc(freedom, residual_freedom, f))
    return Effect(name, f, freedom, residual_freedom, p, is_pooled=False)


def orthonormal_basis(*parts: Array) -> Array:
    """Return an orthonormal basis of the space of all columns."""
    left, sizes, _ = numpy.linalg.svd(numpy.hstack(parts), full_matrices=False)
    return left[:, sizes > 1e-9 * sizes[0]]


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


def cell_model(values: Numbers, cells: Sequence[Hashable], blocks: Sequence) -> CellModel:
    """Fit accuracy = cell + block + noise; all arguments have one entry per student."""
    levels: dict[Hashable, int] = {}
    block = numpy.array([levels.setdefault(label, len(levels)) for label in blocks])
    return _fit_cells(numpy.asarray(values, float), list(dict.fromkeys(cells)), indicators(cells), block)


def _fit_cells(y: Array, names: list, cell: Array, block: Array) -> CellModel:
    """Fit the cells within the blocks; `block` has a number from 0 on per student.

    The means of the blocks are subtracted first (Frisch and Waugh, 1933), so thousands of seeds cost little.
    """
    sizes = numpy.bincount(block)
    design, rest = _within_blocks(cell, block, sizes), _within_blocks(y[:, None], block, sizes)[:, 0]
    left, scales, right = numpy.linalg.svd(design, full_matrices=False)
    is_real = scales > 1e-9  # others are rounding errors: the entries of the design are about 1
    basis = left[:, is_real]
    inverse = (right[is_real].T / scales[is_real]) @ basis.T
    residuals = rest - basis @ (basis.T @ rest)
    squares, freedom = float(residuals @ residuals), len(y) - len(sizes) - int(is_real.sum())
    zeros = numpy.zeros(cell.shape[1])
    model = CellModel(y, names, cell, design, inverse, zeros, zeros, zeros, 0.0, freedom)
    if freedom <= 0 or squares <= 1e-20 * float(y @ y):  # equal numbers leave a rest of rounding errors
        return model
    leverages = 1 / sizes[block] + (basis**2).sum(1)
    variances, per_cell = residual_variances(residuals, leverages, cell)
    shrunk, freedoms = structured_variances(variances, per_cell, names)
    if numpy.ptp(shrunk) <= 1e-6 * shrunk.max():  # equal: the pool of the whole model, with all its freedom
        shrunk, freedoms = zeros + squares / freedom, zeros + freedom
    return model._replace(variances=shrunk, freedoms=freedoms, own_variances=variances, own_freedom=per_cell)


def _within_blocks(columns: Array, block: Array, sizes: Array) -> Array:
    """Return columns [students, n] less their means in each block."""
    sums = numpy.stack([numpy.bincount(block, column, len(sizes)) for column in columns.T], 1)
    return columns - (sums / sizes[:, None])[block]
