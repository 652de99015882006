"""Variances of cells, each shrunk towards their pool.

With three seeds a variance of one cell has two degrees of freedom: alone it gives no power, and pooled over cells of
unequal noise it gives wrong intervals. Smyth (2004) estimates from the spread of the variances how much each is worth.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy
from scipy import special  # scipy.stats takes two seconds to import

Array = numpy.ndarray
FEWEST_VARIANCES = 3  # with fewer, their spread says nothing: the pool counts
EQUAL = 1e6  # prior degrees of freedom of equal variances
SMALLEST_SHARE = 0.02  # of the pool; one cell of equal numbers must not decide the spread
NEWTON_STEPS = 8


def shrink_variances(variances: Array, freedom: float, fewest: int = FEWEST_VARIANCES) -> tuple[Array, Array]:
    """Return shrunk variances and their degrees of freedom, both [..., cells].

    `variances` are [..., cells], with `freedom` degrees of freedom each. Fewer than `fewest` are replaced by the pool.
    """
    pool, cells = variances.mean(-1, keepdims=True), variances.shape[-1]
    floored = numpy.maximum(variances, SMALLEST_SHARE * pool)
    if cells < fewest:
        return numpy.broadcast_to(pool, variances.shape), numpy.full(variances.shape, freedom * cells)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        logs = numpy.log(floored)
        logs[~numpy.isfinite(logs)] = 0.0  # all students of a cell are equal
        spread = logs.var(-1, ddof=1, keepdims=True) - special.polygamma(1, freedom / 2)
    prior = numpy.where(spread > 0, 2 * _inverse_trigamma(numpy.where(spread > 0, spread, 1.0)), EQUAL)
    prior = numpy.minimum(prior, EQUAL)
    shift = special.digamma(prior / 2) - numpy.log(prior / 2) - special.digamma(freedom / 2) + numpy.log(freedom / 2)
    center = numpy.where(prior < EQUAL, numpy.exp(logs.mean(-1, keepdims=True) + shift), pool)
    shrunk = (prior * center + freedom * floored) / (prior + freedom)
    return shrunk, numpy.broadcast_to(numpy.minimum(prior + freedom, freedom * cells), variances.shape)


def structured_variances(variances: Array, freedom: float, names: Sequence[Hashable]) -> tuple[Array, Array]:
    """Return shrunk variances of cells with names, and their degrees of freedom, both [cells].

    A name may be a tuple of knob labels. Then the cells of one label, such as a column of a table, first get a factor
    in common, itself shrunk: many cells show it better than one.
    """
    fit, fewest_cells = numpy.full(len(variances), variances.mean()), len(variances)
    if not variances.mean() > 0:
        return variances, numpy.full(len(variances), freedom)
    for levels in _factors(names):
        members = numpy.eye(levels.max() + 1)[levels]
        ratios = (variances / fit) @ members / members.sum(0)
        shrunk, _ = shrink_variances(ratios, freedom * float(members.sum(0).mean()), fewest=2)
        if numpy.ptp(shrunk) > 1e-6:
            fit, fewest_cells = fit * shrunk[levels], min(fewest_cells, int(members.sum(0).min()))
    ratios, freedoms = shrink_variances(variances / fit, freedom)
    return fit * ratios, numpy.minimum(freedoms, freedom * max(fewest_cells, 2))


def _factors(names: Sequence[Hashable]) -> list[Array]:
    """Return the levels [cells] of each knob with several cells per label."""
    if not all(isinstance(name, tuple) and len(name) == len(names[0]) for name in names):  # type: ignore[arg-type]
        return []
    columns = [list(dict.fromkeys(labels)) for labels in zip(*names, strict=True)]
    return [
        numpy.array([labels.index(name[place]) for name in names])  # type: ignore[index]
        for place, labels in enumerate(columns)
        if 1 < len(labels) <= len(names) / 2
    ]


def _inverse_trigamma(values: Array) -> Array:
    """Invert the trigamma function by Newton's method (Smyth 2004, appendix)."""
    y = 0.5 + 1 / numpy.maximum(values, 1e-7)
    for _ in range(NEWTON_STEPS):
        trigamma = special.polygamma(1, y)
        y = y + trigamma * (1 - trigamma / values) / special.polygamma(2, y)
    return y


def residual_variances(residuals: Array, leverages: Array, cells: Array) -> tuple[Array, float]:
    """Return one variance per cell, and their mean degrees of freedom.

    `residuals` and `leverages` are [students], of a least-squares fit; `cells` are indicators [students, cells].
    """
    freedom = (1 - leverages) @ cells
    variances = numpy.divide(residuals**2 @ cells, freedom, out=numpy.zeros_like(freedom), where=freedom > 1e-9)
    mean = float(freedom[freedom > 1e-9].mean()) if (freedom > 1e-9).any() else 0.0
    variances[freedom <= 1e-9] = variances[freedom > 1e-9].mean() if mean else 0.0
    return variances, mean


def combined_freedom(variances: Array, freedoms: Array) -> float:
    """Return the degrees of freedom of a sum of variances (Satterthwaite 1946)."""
    total = float(variances.sum())
    return total**2 / float((variances**2 / freedoms).sum()) if total > 0 else float(freedoms.sum())
