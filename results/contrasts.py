"""Differences of cells from one of them, paired over blocks and corrected for their number.

The model and the variances are those of `stats.cell_model`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy
from scipy import special  # scipy.stats takes two seconds to import

from results.noise import combined_freedom
from results.stats import LEVEL, Array, CellModel, Difference, Numbers, cell_model


class Contrast(NamedTuple):
    """One difference of cells: mean, standard error and degrees of freedom."""

    mean: float
    error: float
    freedom: float


def p_below_best(values: Numbers, cells: Sequence[Hashable], blocks: Sequence, best: Hashable) -> dict[Hashable, float]:
    """Return a corrected one-sided p per cell: the cell is below `best` by chance (Student's t).

    Bonferroni over all comparisons and not Holm, because `best` may be the cell that came out highest: then the truly
    best cell still is called worse in at most one of twenty experiments (Hsu, 1984, comparisons with the best).
    Empty without a residual; a cell that shares no seed with `best`, however indirectly, is left out.
    """
    contrasts = _contrasts_with(best, values, cells, blocks)
    return {name: min(1.0, len(contrasts) * _p_above(contrast)) for name, contrast in contrasts.items()}


def differences_from(
    reference: Hashable, values: Numbers, cells: Sequence[Hashable], blocks: Sequence
) -> dict[Hashable, Difference]:
    """Return each cell − `reference`, with intervals that hold together in 95 % of experiments.

    Bonferroni over the cells, for a reference named beforehand. Cells that share no block with it are left out, and all
    without a residual.
    """
    contrasts = _contrasts_with(reference, values, cells, blocks)
    differences = {}
    for name, contrast in contrasts.items():
        half = float(special.stdtrit(contrast.freedom, 1 - LEVEL / 2 / len(contrasts))) * contrast.error
        members = {block for cell, block in zip(cells, blocks, strict=True) if cell == name}
        mean = -contrast.mean
        differences[name] = Difference(mean, mean - half, mean + half, len(members), int(contrast.freedom))
    return differences


def _contrasts_with(
    ours: Hashable, values: Numbers, cells: Sequence[Hashable], blocks: Sequence
) -> dict[Hashable, Contrast]:
    """Return `ours` − each other cell that can be compared with it, none without a residual."""
    model = cell_model(values, cells, blocks)
    if model.freedom <= 0:
        return {}
    weights = {name: _contrast_weights(model, ours, name) for name in model.names if name != ours}
    return {name: _estimate(model, weight) for name, weight in weights.items() if _is_estimable(model, weight)}


def _contrast_weights(model: CellModel, ours: Hashable, reference: Hashable) -> Array:
    weights = numpy.zeros(model.design.shape[1])
    weights[model.names.index(ours)], weights[model.names.index(reference)] = 1.0, -1.0
    return weights


def _is_estimable(model: CellModel, weights: Array) -> bool:
    """True for a difference of cells.

    A contrast outside the row space of the design compares cells of different seeds.
    """
    return numpy.allclose(weights @ model.inverse @ model.design, weights)


def _estimate(model: CellModel, weights: Array) -> Contrast:
    """Return a difference of cells, the blocks held."""
    of_students = weights @ model.inverse
    variances = (of_students**2 @ model.cells) * model.variances
    freedom = min(float(model.freedom), combined_freedom(variances, model.freedoms)) if variances.sum() > 0 else 1.0
    return Contrast(float(of_students @ model.y), float(numpy.sqrt(variances.sum())), freedom)


def _p_above(contrast: Contrast) -> float:
    """Return p of a one-sided Student's t test."""
    if not contrast.error > 0:
        return 0.0 if contrast.mean > 1e-10 else 1.0
    return float(special.stdtr(contrast.freedom, -contrast.mean / contrast.error))
