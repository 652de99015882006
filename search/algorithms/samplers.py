"""Samplers: proposals of knob values.

Each is a function of (search section, seed) that returns an Optuna sampler.
"""

from __future__ import annotations

import warnings

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from spaces.sections import Search
from trainables.declare import declare

optuna.logging.set_verbosity(optuna.logging.WARNING)


@declare(paper="Bergstra et al. (2011)")
def tpe_sampler(search: Search, seed: int) -> BaseSampler:
    """Tree-structured Parzen estimator.

    Knobs that occur together are modeled together.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)


def random_sampler(search: Search, seed: int) -> BaseSampler:
    """Independent draws from every domain."""
    return RandomSampler(seed=seed)
