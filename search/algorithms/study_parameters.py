"""Optuna parameters of the searched domains.

A knob may occur in several options of a choice, with a different domain in each: the learning rate of SGD and of Adam.
Optuna needs one distribution per name, so each further domain of a knob gets a name of its own. The names are used in
the study only; rows and results hold the knob's dotted path.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.trial import Trial

from spaces.domain import Choice, Domain
from spaces.label import Label, label_text
from spaces.search_section import Search
from spaces.template import SuggestLabel, Values


class SearchedSpace(Protocol):
    """Domains and search settings: a space, or a table of finished trainings."""

    @property
    def search(self) -> Search:
        """Settings of the search."""

    @property
    def domains(self) -> list[tuple[str, Domain]]:
        """Every domain with its dotted path."""

    def sample_values(self, suggest: SuggestLabel) -> Values:
        """Return one value per active domain."""


class StudyParameters:
    """Names and distributions of all domains of a space."""

    def __init__(self, space: SearchedSpace):
        self._space = space
        self._names: dict[tuple[str, str, object], str] = {}  # by dotted path, distribution and prior
        for path, domain in space.domains:
            key = _name_key(path, domain)
            count = len({taken for taken in self._names if taken[0] == path} - {key})
            self._names.setdefault(key, f"{path} ({count + 1})" if count else path)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Distributions of all knobs by their names in the study."""
        return {self._name(path, domain): _domain_distribution(domain) for path, domain in self._space.domains}

    @property
    def guessed_domains(self) -> dict[str, Domain]:
        """Domains with a prior by their names in the study."""
        return {self._name(path, domain): domain for path, domain in self._space.domains if domain.prior is not None}

    def sample(self, trial: Trial) -> Values:
        """Return the values proposed by a trial, by dotted path."""
        return self._space.sample_values(lambda path, domain: _suggest(trial, self._name(path, domain), domain))

    def of_values(self, values: Values) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
        """Return values as parameters of the study, with their distributions.

        Raises ValueError for a missing value, or one outside its domain.
        """
        parameters: dict[str, Any] = {}
        distributions: dict[str, BaseDistribution] = {}

        def collect(path: str, domain: Domain) -> Label:
            if path not in values:
                raise ValueError(f"{path}: no value")
            name, label = self._name(path, domain), domain.normalize(values[path])
            parameters[name] = label_text(label) if isinstance(domain, Choice) else label
            distributions[name] = _domain_distribution(domain)
            return label

        self._space.sample_values(collect)
        return parameters, distributions

    def fixed(self, values: Values) -> dict[str, Any]:
        """Return some values as parameters, under each name of their knob."""
        parameters: dict[str, Any] = {}
        for path, domain in self._space.domains:
            if path in values:
                with suppress(ValueError):  # of the knob's domain in another option
                    label = domain.normalize(values[path])
                    parameters[self._name(path, domain)] = label_text(label) if isinstance(domain, Choice) else label
        return parameters

    def _name(self, path: str, domain: Domain) -> str:
        return self._names[_name_key(path, domain)]


def _name_key(path: str, domain: Domain) -> tuple[str, str, object]:
    return path, distribution_to_json(_domain_distribution(domain)), domain.prior


def _domain_distribution(domain: Domain) -> BaseDistribution:
    if isinstance(domain, Choice):
        # as texts: Optuna takes 1 and true for one category
        return CategoricalDistribution([label_text(label) for label in domain.labels])
    if domain.integer:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def _suggest(trial: Trial, name: str, domain: Domain) -> Label:
    if isinstance(domain, Choice):
        return trial.suggest_categorical(name, [label_text(label) for label in domain.labels])
    if domain.integer:
        return trial.suggest_int(name, int(domain.low), int(domain.high), log=domain.log)
    return trial.suggest_float(name, domain.low, domain.high, log=domain.log)
