"""Shares of the variance of scores: knobs, their interactions, noise.

With several seeds per configuration the noise is known, so it can be taken out of each share: omega squared (Hays
1963), which is 0 for an effect no larger than noise. It agrees with the analysis of variance of the same students.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy

from results.stats import indicators, orthonormal_basis

Array = numpy.ndarray
RESAMPLES = 200
INTERACTIONS, NOISE = "interactions of knobs", "unexplained (noise)"


def variance_shares(
    scores: Array, knobs: Mapping[str, Sequence[Hashable]], blocks: Sequence[Hashable]
) -> dict[str, Array]:
    """Return shares [RESAMPLES] of each knob, INTERACTIONS and NOISE.

    They are in percent. All arguments have one entry per student; `blocks` are the seeds. Residuals are resampled
    around the means of the configurations. Empty without residual degrees of freedom.
    """
    configurations = indicators(list(zip(*knobs.values(), strict=True)))
    block, columns = indicators(blocks), {name: indicators(labels) for name, labels in knobs.items()}
    full = orthonormal_basis(block, configurations)
    freedom = len(scores) - full.shape[1]
    if freedom < 1:
        return {}
    fitted = full @ (full.T @ scores)
    residuals = (scores - fitted) * numpy.sqrt(len(scores) / freedom)
    drawn = numpy.random.default_rng(0).integers(len(scores), size=(RESAMPLES, len(scores)))
    samples = fitted + residuals[drawn]
    noise = _residual_squares(samples, full) / freedom
    additive = orthonormal_basis(block, *columns.values())
    total = _residual_squares(samples, orthonormal_basis(numpy.ones((len(scores), 1)))) + noise
    shares = {}
    for name in knobs:
        rest = orthonormal_basis(block, *(column for knob, column in columns.items() if knob != name))
        shares[name] = _omega_squared(samples, rest, additive, noise, total)
    shares[INTERACTIONS] = _omega_squared(samples, additive, full, noise, total)
    return shares | {NOISE: numpy.clip(100 - sum(shares.values()), 0, 100)}


def _omega_squared(samples: Array, without: Array, with_it: Array, noise: Array, total: Array) -> Array:
    """Return an effect's share in percent, without its noise."""
    freedom = with_it.shape[1] - without.shape[1]
    explained = _residual_squares(samples, without) - _residual_squares(samples, with_it)
    return 100 * numpy.clip((explained - freedom * noise) / total, 0, 1)


def _residual_squares(samples: Array, basis: Array) -> Array:
    """Return sums of squares [samples] beyond an orthonormal basis."""
    return (samples**2).sum(1) - ((samples @ basis) ** 2).sum(1)
