"""Proposals from the user's guesses: `prior` on a domain.

A mixture as in PriorBand (Mallik et al. 2023): some proposals are drawn from the prior, the others come from the
algorithm, which explores evenly and then stays near good students. An adaptive algorithm weighs the prior by results,
so a wrong one is soon left.

The draws depend on the seed and the number of the proposal, and for adaptive algorithms on the results before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from results.fronts import pareto_front
from search.algorithms.study_parameters import StudyParameters
from spaces.domain import Choice, Domain, Range
from spaces.label import label_text
from spaces.search_section import NON_ADAPTIVE, Search

WARM_UP = 3  # proposals of the algorithm alone, so that a scheduler can compare the first guess
SPREAD = 0.15  # standard deviation of a number, in widths of its range
PREFERENCE = 0.5  # of the draws take the preferred option; the others are even
GOOD_SHARE = 1 / 3  # of the students are good, among which those near the prior are counted
FIXED_SHARE = 1 / 3  # of the proposals of an algorithm that ignores results


class PriorProposals:
    """Values drawn from the priors of a space.

    The first are the guesses themselves. `study` holds the transferred students only.
    """

    def __init__(self, search: Search, parameters: StudyParameters, study: Study, seed: int):
        self.domains = parameters.guessed_domains
        self.search, self.study, self.seed = search, study, seed
        self.first = len(study.get_trials(deepcopy=False)) + len(search.start or []) + WARM_UP

    def draw(self) -> dict[str, Any]:
        """Return drawn parameters of the next proposal.

        There are none if it comes from the algorithm alone.
        """
        if not self.domains:
            return {}
        number = len(self.study.get_trials(deepcopy=False))
        if number == self.first:
            return {name: domain.prior for name, domain in self.domains.items()}
        rng = np.random.default_rng([self.seed, number])
        share = FIXED_SHARE if self.search.algorithm in NON_ADAPTIVE else self._earned_share()
        if number < self.first or rng.random() >= share:
            return {}
        return {name: _draw_value(domain, rng) for name, domain in self.domains.items()}

    def _earned_share(self) -> float:
        """Return the share of proposals from the prior.

        It follows how often students near the prior are among the good ones, compared with all other students.
        """
        students = _students_best_first(self.study, self.search)
        good = {trial.number for trial in students[: math.ceil(GOOD_SHARE * len(students))]}
        near = {trial.number for trial in students if self._log_ratio(trial) > 0}
        far = {trial.number for trial in students} - near
        near_rate, far_rate = (((1 + len(good & group)) / (2 + len(group))) ** 2 for group in (near, far))
        return near_rate / (near_rate + far_rate)

    def _log_ratio(self, trial: FrozenTrial) -> float:
        """Return the log density under the priors, relative to even draws."""
        present = (name for name in self.domains if name in trial.params)
        return sum(_log_density(self.domains[name], trial.params[name]) for name in present)


def _students_best_first(study: Study, search: Search) -> list[FrozenTrial]:
    """Return the trials with results, those of later epochs first.

    Trials with several objectives are sorted by Pareto fronts.
    """
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
    if search.metrics:
        return _sort_by_fronts([trial for trial in trials if trial.values], search.metrics)
    sign = 1 if study.direction == StudyDirection.MAXIMIZE else -1
    scored = []
    for trial in trials:
        if trial.values:
            scored.append((math.inf, sign * trial.values[0], trial))
        elif trial.intermediate_values:
            epoch = max(trial.intermediate_values)
            scored.append((epoch, sign * trial.intermediate_values[epoch], trial))
    scored.sort(key=lambda item: item[:2], reverse=True)
    return [item[-1] for item in scored]


def _sort_by_fronts(trials: list[FrozenTrial], objectives: Sequence[str]) -> list[FrozenTrial]:
    """Return the front, then the front of the rest, and so on."""
    ordered: list[FrozenTrial] = []
    while trials:
        marks = pareto_front([trial.values for trial in trials], objectives)
        front = [trial for trial, mark in zip(trials, marks, strict=True) if mark] or trials
        ordered += front
        trials = [trial for trial in trials if trial not in front]
    return ordered


def _draw_value(domain: Domain, rng: np.random.Generator) -> Any:
    """Return a value as Optuna takes it."""
    if isinstance(domain, Choice):
        texts = [label_text(label) for label in domain.labels]
        return domain.prior if rng.random() < PREFERENCE else texts[rng.integers(len(texts))]
    normal = _normal(domain)
    share = rng.uniform(normal.cdf(0), normal.cdf(1))
    return domain.number_at(min(1.0, max(0.0, normal.inv_cdf(share))))


def _log_density(domain: Domain, value: Any) -> float:
    """Return the log density under the prior, relative to even draws."""
    if isinstance(domain, Choice):
        return math.log(PREFERENCE * len(domain.labels) * (value == domain.prior) + 1 - PREFERENCE)
    normal = _normal(domain)
    return math.log(normal.pdf(domain.place_of(value)) / (normal.cdf(1) - normal.cdf(0)))


def _normal(domain: Range) -> NormalDist:
    assert domain.prior is not None
    return NormalDist(domain.place_of(domain.prior), SPREAD)
