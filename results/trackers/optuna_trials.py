"""Students as Optuna trials, and knobs as Optuna distributions; nothing is proposed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import optuna  # noqa: TID251

from results import wording
from results.fronts import objective_value
from results.records import Row
from results.students import History, knob_values
from spaces.domain import Choice, Domain
from spaces.label import label_text
from spaces.metrics import TEST_FIELDS, VAL_FIELDS
from spaces.space import Space

STATES = {
    "running": optuna.trial.TrialState.RUNNING,
    "finished": optuna.trial.TrialState.COMPLETE,
    "stopped": optuna.trial.TrialState.PRUNED,
    "diverged": optuna.trial.TrialState.PRUNED,
    "failed": optuna.trial.TrialState.FAIL,
}
MAX_WRITTEN_CHOICES = 20  # every trial repeats them; a longer choice of numbers is written as a range
STUDENT_ATTRIBUTE = "student"  # user attribute with the name of the student

Trial = optuna.trial.FrozenTrial
Distribution = optuna.distributions.BaseDistribution


class KnobDistribution(NamedTuple):
    """Distribution of a knob.

    Of a choice, `labels` maps each label's text to the label.
    """

    distribution: Distribution
    labels: dict[str, Any] | None


def student_trial(student: History, space: Space, knobs: Mapping[str, KnobDistribution]) -> Trial:
    """Return a student as a trial.

    A finished baseline is a pruned trial, so that the best trial of the study is a distilled student. So is a student
    that was trained on the validation images: it has no value. Its intermediate values are the metric of the search
    after each epoch; with several objectives it has none. Its user attributes are name, stage, seeds, status and, after
    its end, all metrics.
    """
    start, end, search = student.start, student.end, space.search
    status = end.get("status", "running")
    values = {row["epoch"]: row[search.metric] for row in student.epochs if row[search.metric] is not None}
    is_complete = status == "finished" and start["stage"] != "baseline" and bool(values)
    params = _trial_params(knob_values(start, space.knobs), knobs)
    return Trial(
        number=-1,  # the storage numbers them
        trial_id=-1,
        state=STATES["stopped" if status == "finished" and not is_complete else status],
        value=None,
        values=[objective_value(student, name) for name in search.objectives] if is_complete else None,
        datetime_start=_utc_time(start),
        datetime_complete=_utc_time(end) if end else None,
        params=params,
        distributions={name: knobs[name].distribution for name in params},
        user_attrs=_user_attributes(student, space),
        system_attrs={},
        intermediate_values={} if search.metrics else values,
    )


def is_continued_by(old: Trial, new: Trial | None) -> bool:
    """True if the new trial only adds to the old one."""
    if new is None or (old.params, old.distributions) != (new.params, new.distributions):
        return False
    if not old.state.is_finished():
        return old.intermediate_values.items() <= new.intermediate_values.items()
    before, after = ((trial.state, trial.values, trial.intermediate_values, trial.user_attrs) for trial in (old, new))
    return before == after


def _utc_time(row: Row) -> datetime:
    return datetime.fromtimestamp(row.get("time", 0.0), UTC)


def _user_attributes(student: History, space: Space) -> Row:
    start, end = student.start, student.end
    last = student.epochs[-1] if end and student.epochs else {}
    attributes = {
        STUDENT_ATTRIBUTE: start["trial"],
        "label": wording.format_configuration(knob_values(start, space.knobs), space.knobs),
        "status": end.get("status", "running"),
        **{name: start.get(name) for name in ("stage", "seed", "teacher_seed")},
        **{name: last.get(name) for name in VAL_FIELDS},
        **{name: end.get(name) for name in (*TEST_FIELDS, "agreement", "reason")},
    }
    return {name: value for name, value in attributes.items() if value is not None}


def knob_distributions(space: Space, teacher_weights: Sequence[str] = ()) -> dict[str, KnobDistribution]:
    """Return the distribution of each knob.

    A knob that is both a choice and a range has none. That of a teacher weight includes the 0 of the baseline, which
    need not be in its domain.
    """
    domains: dict[str, list[Domain]] = {}
    for path, domain in space.domains:
        domains.setdefault(path, []).append(domain)
    distributions = {
        path: _joint_distribution(options, [0] if path in teacher_weights else []) for path, options in domains.items()
    }
    return {path: distribution for path, distribution in distributions.items() if distribution is not None}


def _joint_distribution(domains: list[Domain], more_labels: list[int]) -> KnobDistribution | None:
    labels: list[Any] = [*(label for domain in domains for label in domain.probe_labels), *more_labels]
    if all(isinstance(domain, Choice) for domain in domains):
        by_text = {label_text(label): label for label in labels}
        if len(by_text) > MAX_WRITTEN_CHOICES and all(type(label) in (int, float) for label in labels):
            return KnobDistribution(_range_of(labels), None)
        return KnobDistribution(optuna.distributions.CategoricalDistribution(list(by_text.values())), by_text)
    if any(isinstance(domain, Choice) for domain in domains):
        return None
    low, high = float(min(labels)), float(max(labels))
    log = low > 0 and all(domain.log for domain in domains)
    if all(domain.integer for domain in domains):
        return KnobDistribution(optuna.distributions.IntDistribution(int(low), int(high), log=log), None)
    return KnobDistribution(optuna.distributions.FloatDistribution(low, high, log=log), None)


def _range_of(numbers: Sequence[float]) -> Distribution:
    low, high = min(numbers), max(numbers)
    if all(isinstance(number, int) for number in numbers):
        return optuna.distributions.IntDistribution(int(low), int(high))
    return optuna.distributions.FloatDistribution(low, high)


def _trial_params(values: Mapping[str, Any], knobs: Mapping[str, KnobDistribution]) -> dict[str, Any]:
    """Return the values with a distribution, as its labels."""
    params: dict[str, Any] = {}
    for name, value in values.items():
        labels = knobs[name].labels if name in knobs else {}
        if labels is None:
            params[name] = value
        elif label_text(value) in labels:
            params[name] = labels[label_text(value)]
    return params
