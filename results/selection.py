"""Differences of cells and a reference, corrected for the choice of one.

The chosen cell is the best of several by validation, so its test score is partly luck. Its interval comes from
simulated experiments of the same seeds, variances and correlation of validation and test, in which no cell has an
effect and the best by validation is compared with the reference in the same way.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy
from scipy import special

from results.noise import shrink_variances, structured_variances
from results.stats import LEVEL, Difference

Array = numpy.ndarray
SIMULATIONS = 1000
MOST_NUMBERS = 8_000_000  # drawn for one interval: large tables get fewer simulations
FEWEST_SIMULATIONS = 200
# 0.95 if the variances were known; the simulation on docs/explanation/numbers.md shows the price of estimating them.
QUANTILES = {2: 0.98, 5: 0.97}  # by the smallest number of seeds


def differences_to_last(scores: Array, quantile: float) -> list[Difference]:
    """Return each cell − the last cell with its 95 % interval.

    `scores` are [cells, seeds]. `quantile` is that of `selection_quantile`. The intervals are NaN with one seed.
    """
    seeds = scores.shape[1]
    means = (scores[:-1].mean(1) - scores[-1].mean()).tolist()
    if seeds < 2:
        return [Difference(mean, numpy.nan, numpy.nan, seeds, 0) for mean in means]
    halves = (quantile * _deviations(scores[None])[0]).tolist()
    return [
        Difference(mean, mean - half, mean + half, seeds, seeds - 1) for mean, half in zip(means, halves, strict=True)
    ]


def selection_quantile(
    scores: Array,
    choice: Array,
    candidates: int | None = None,
    names: Sequence[Hashable] = (),
    simulations: int = SIMULATIONS,
) -> float:
    """Return the half-width of the best cell's interval in standard errors.

    `scores` and `choice` are [cells, seeds], on test and on validation, higher is better. More `candidates` than cells
    are such as were dropped. `names` are tuples of knob labels of the cells before the last: cells of one label may
    have their noise in common. For a cell named beforehand the interval is wider than needed. NaN with one seed.
    """
    cells, seeds = scores.shape
    candidates = max(candidates or 0, cells - 1)
    if seeds < 2:
        return numpy.nan
    if candidates == 1:
        return float(special.stdtrit(seeds - 1, 1 - LEVEL / 2))
    return _critical_value(scores, choice, candidates, names, simulations)


def _deviations(scores: Array) -> Array:
    """Return the standard errors of cell − last cell.

    `scores` are [experiments, cells, seeds], the result [experiments, cells − 1]. The variances are those of the pairs,
    which hold the reference's noise.
    """
    seeds = scores.shape[-1]
    variances = (scores[:, :-1] - scores[:, -1:]).var(-1, ddof=1)
    return numpy.sqrt(shrink_variances(variances, seeds - 1)[0] / seeds)


def _critical_value(
    scores: Array, choice: Array, candidates: int, names: Sequence[Hashable], simulations: int
) -> float:
    """Return the quantile of |t| of the chosen cell if no cell has an effect."""
    seeds = scores.shape[1]
    noise = _noise_deviations(scores, candidates, names)
    if not noise.any():
        return 0.0
    correlation = _highest_correlation(scores, choice)
    count = int(numpy.clip(MOST_NUMBERS // (2 * noise.size * seeds), FEWEST_SIMULATIONS, simulations))
    random = numpy.random.default_rng(0)
    test = random.standard_normal((count, noise.size, seeds))
    own = random.standard_normal((count, candidates, seeds)).mean(-1)
    # the mean on validation is all that chooses
    validation = correlation * test[:, :-1].mean(-1) + numpy.sqrt(1 - correlation**2) * own
    picked = (validation * noise[:-1]).argmax(1)
    test *= noise[:, None]
    rows = numpy.arange(count)
    difference = test[rows, picked].mean(-1) - test[:, -1].mean(-1)
    quantile = next(QUANTILES[fewest] for fewest in sorted(QUANTILES, reverse=True) if seeds >= fewest)
    return float(numpy.quantile(numpy.abs(difference / _deviations(test)[rows, picked]), quantile))


def _noise_deviations(scores: Array, candidates: int, names: Sequence[Hashable]) -> Array:
    """Return the standard deviation of each candidate and the reference.

    That of the reference is half its own and half the pool's variance: it stands in every comparison.
    """
    cells, seeds = scores.shape
    variances = (_residuals(scores) ** 2).sum(1) / ((seeds - 1) * (1 - 1 / cells))
    shrunk, _ = structured_variances(variances[:-1], seeds - 1, names or range(cells - 1))
    dropped = [variances.mean()] * (candidates - (cells - 1))
    return numpy.sqrt(numpy.array([*shrunk, *dropped, (variances[-1] + variances.mean()) / 2]))


def _residuals(scores: Array) -> Array:
    return scores - scores.mean(1, keepdims=True) - scores.mean(0) + scores.mean()


def _highest_correlation(scores: Array, choice: Array) -> float:
    """Return the correlation of validation and test, plus its standard error.

    Residuals of cells and seeds are compared, in units of each cell's deviation.
    """
    test, validation = _residuals(scores), _residuals(choice)
    cells, seeds = scores.shape
    if not numpy.isfinite(validation).all():
        return 1.0
    spread = numpy.sqrt(shrink_variances((test**2).mean(1), seeds - 1)[0] + 1e-30)[:, None]
    squares = ((test / spread) ** 2).sum() * ((validation / spread) ** 2).sum()
    if not squares > 0:
        return 1.0
    correlation = float(((test / spread) * (validation / spread)).sum() / numpy.sqrt(squares))
    shift = 1 / numpy.sqrt(max((cells - 1) * (seeds - 1) - 1, 1))
    return float(numpy.clip(numpy.tanh(numpy.arctanh(numpy.clip(correlation, -0.99, 0.99)) + shift), 0.0, 0.99))
