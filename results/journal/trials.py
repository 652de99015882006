"""A student as Optuna keeps a trial, and its knobs as Optuna's distributions; nothing is proposed here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import optuna  # noqa: TID251

from results import words
from results.records import Row
from results.students import UNEVEN, History, labels
from spaces.domain import Choice, Domain, Int, LogUniform
from spaces.label import text
from spaces.space import Space

STATES = {
    "running": optuna.trial.TrialState.RUNNING,
    "finished": optuna.trial.TrialState.COMPLETE,
    "stopped": optuna.trial.TrialState.PRUNED,
    "diverged": optuna.trial.TrialState.PRUNED,
    "failed": optuna.trial.TrialState.FAIL,
}
STUDENT = "student"  # the attribute by which a trial is found again
ALPHA = "method.alpha"  # the baseline is shown as its 0, which need not be in the domain

Trial = optuna.trial.FrozenTrial
Distribution = optuna.distributions.BaseDistribution


def trial(student: History, space: Space, known: Mapping[str, Distribution]) -> Trial:
    """One student: its knobs, the metric of the space per epoch, how it ended, and the rest as attributes."""
    start, end = student.start, student.end
    reached = {row["epoch"]: row[space.search.metric] for row in student.epochs}
    status, params = end.get("status", "running"), _params(labels(start, space.knobs), known)
    return Trial(
        number=-1,  # the storage numbers them
        trial_id=-1,
        state=STATES[status],
        value=student.epochs[-1][space.search.metric] if status == "finished" else None,
        datetime_start=_moment(start),
        datetime_complete=_moment(end) if end else None,
        params=params,
        distributions={name: known[name] for name in params},
        user_attrs=_about(student, space),
        system_attrs={},
        intermediate_values=reached,
    )


def goes_on(old: Trial, new: Trial | None) -> bool:
    """Whether all that was said of a student is still true, so that the rest need only be added."""
    if new is None or (old.params, old.distributions) != (new.params, new.distributions):
        return False
    if not old.state.is_finished():
        return old.intermediate_values.items() <= new.intermediate_values.items()
    said = [(each.state, each.values, each.intermediate_values, each.user_attrs) for each in (old, new)]
    return said[0] == said[1]


def _moment(row: Row) -> datetime:
    return datetime.fromtimestamp(row.get("time", 0.0), UTC)


def _about(student: History, space: Space) -> Row:
    start, end = student.start, student.end
    label = words.configuration(labels(start, space.knobs), space.knobs)
    known = {STUDENT: start["trial"], "label": label, "status": end.get("status", "running")}
    known |= {name: start.get(name) for name in ("stage", "seed", "teacher_seed")}
    known |= {name: end.get(name) for name in ("test_accuracy", *UNEVEN, "agreement", "reason")}
    return {name: value for name, value in known.items() if value is not None}


def distributions(space: Space) -> dict[str, Distribution]:
    """The distribution of every knob; one that is here a choice and there a range has none."""
    domains: dict[str, list[Domain]] = {}
    for path, domain in space.domains:
        domains.setdefault(path, []).append(domain)
    found = {path: _distribution(each, [0] if path == ALPHA else []) for path, each in domains.items()}
    return {path: distribution for path, distribution in found.items() if distribution is not None}


def _distribution(domains: list[Domain], more: list[int]) -> Distribution | None:
    ends: list[Any] = [*(end for domain in domains for end in domain.ends), *more]
    if all(isinstance(domain, Choice) for domain in domains):
        return optuna.distributions.CategoricalDistribution(list({text(label): label for label in ends}.values()))
    if any(isinstance(domain, Choice) for domain in domains):
        return None
    low, high = float(min(ends)), float(max(ends))
    if all(isinstance(domain, Int) for domain in domains):
        return optuna.distributions.IntDistribution(int(low), int(high))
    log = low > 0 and all(isinstance(domain, LogUniform) for domain in domains)
    return optuna.distributions.FloatDistribution(low, high, log=log)


def _params(values: Mapping[str, Any], known: Mapping[str, Distribution]) -> dict[str, Any]:
    """The values as their distributions spell them, without those that they do not have."""
    spelt = ((name, _spelt(value, known[name])) for name, value in values.items() if name in known)
    return {name: found[0] for name, found in spelt if found}


def _spelt(value: Any, distribution: Distribution) -> list[Any]:
    """The value, or nothing."""
    if not isinstance(distribution, optuna.distributions.CategoricalDistribution):
        return [value]
    return [choice for choice in distribution.choices if text(choice) == text(value)]
