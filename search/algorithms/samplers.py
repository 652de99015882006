"""Samplers: proposals of knob values.

Each is a function of (search section, seed, distributions of all knobs by name) that returns an Optuna sampler.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from spaces.search_section import Search
from trainables.declare import declare

optuna.logging.set_verbosity(optuna.logging.WARNING)
START_POINTS = 20  # of TPE
Distributions = Mapping[str, BaseDistribution]


@contextmanager
def _experimental_options() -> Iterator[None]:
    """Ignore Optuna's warnings about its experimental samplers and options."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


class SobolSampler(QMCSampler):
    """Scrambled Sobol sequence with a coordinate for each knob.

    Optuna's class has one for the knobs of the first trial only, and draws that trial and all other knobs at random.
    Here a proposal leaves out the coordinates of the knobs that its options do not have. It depends on its number
    alone, so a repeated search proposes the same students whatever their results.
    """

    def __init__(self, distributions: Distributions, seed: int):
        with _experimental_options():
            super().__init__(seed=seed, scramble=True, warn_independent_sampling=False)
        self.distributions = {name: item for name, item in distributions.items() if not item.single()}

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.distributions


class SobolStartedTPE(TPESampler):
    """TPE after points of a Sobol sequence.

    Optuna's class starts with random draws.
    """

    def __init__(self, distributions: Distributions, seed: int):
        with _experimental_options():
            super().__init__(
                multivariate=True, group=True, constant_liar=True, seed=seed, n_startup_trials=START_POINTS
            )
        self.start = SobolSampler(distributions, seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        if trial.number < START_POINTS:
            return self.start.infer_relative_search_space(study, trial)
        return super().infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if trial.number < START_POINTS:
            return self.start.sample_relative(study, trial, search_space)
        return super().sample_relative(study, trial, search_space)


@declare(paper="Bergstra et al. (2011)")
def tpe_sampler(search: Search, seed: int, distributions: Distributions) -> BaseSampler:
    """Tree-structured Parzen estimator.

    It starts with points of a Sobol sequence. Knobs that occur together are modeled together.
    """
    return SobolStartedTPE(distributions, seed)


def random_sampler(search: Search, seed: int, distributions: Distributions) -> BaseSampler:
    """Independent draws from every domain."""
    return RandomSampler(seed=seed)


@declare(paper="Sobol (1967)")
def quasi_random_sampler(search: Search, seed: int, distributions: Distributions) -> BaseSampler:
    """Scrambled Sobol sequence.

    It covers all domains evenly and ignores results. Each knob has a coordinate, also a choice or a knob of one option.
    """
    return SobolSampler(distributions, seed)
