"""A student as Optuna keeps a trial, and its knobs as Optuna's distributions; nothing is proposed here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import optuna  # noqa: TID251

from results import wording
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


class Knob(NamedTuple):
    """The distribution of a knob and, of a choice, how it spells each label."""

    distribution: Distribution
    spelt: dict[str, Any] | None


def trial(student: History, space: Space, known: Mapping[str, Knob]) -> Trial:
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
        distributions={name: known[name].distribution for name in params},
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
    label = wording.configuration(labels(start, space.knobs), space.knobs)
    known = {STUDENT: start["trial"], "label": label, "status": end.get("status", "running")}
    known |= {name: start.get(name) for name in ("stage", "seed", "teacher_seed")}
    known |= {name: end.get(name) for name in ("test_accuracy", *UNEVEN, "agreement", "reason")}
    return {name: value for name, value in known.items() if value is not None}


def knobs(space: Space) -> dict[str, Knob]:
    """Every knob; one that is here a choice and there a range has no distribution and is left out."""
    domains: dict[str, list[Domain]] = {}
    for path, domain in space.domains:
        domains.setdefault(path, []).append(domain)
    found = {path: _knob(each, [0] if path == ALPHA else []) for path, each in domains.items()}
    return {path: knob for path, knob in found.items() if knob is not None}


def _knob(domains: list[Domain], more: list[int]) -> Knob | None:
    ends: list[Any] = [*(end for domain in domains for end in domain.ends), *more]
    if all(isinstance(domain, Choice) for domain in domains):
        spelt = {text(label): label for label in ends}
        return Knob(optuna.distributions.CategoricalDistribution(list(spelt.values())), spelt)
    if any(isinstance(domain, Choice) for domain in domains):
        return None
    low, high = float(min(ends)), float(max(ends))
    if all(isinstance(domain, Int) for domain in domains):
        return Knob(optuna.distributions.IntDistribution(int(low), int(high)), None)
    log = low > 0 and all(isinstance(domain, LogUniform) for domain in domains)
    return Knob(optuna.distributions.FloatDistribution(low, high, log=log), None)


def _params(values: Mapping[str, Any], known: Mapping[str, Knob]) -> dict[str, Any]:
    """The values as their distributions spell them, without those that they do not have."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        spelt = known[name].spelt if name in known else {}
        if spelt is None:
            found[name] = value
        elif text(value) in spelt:
            found[name] = spelt[text(value)]
    return found
