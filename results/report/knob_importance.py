"""Importance of the knobs: shares of the variance, with the unexplained part.

With several seeds per configuration the noise is taken out of each share, so that they agree with the analysis of
variance on the same page. Else the shares are those of fANOVA (Hutter, Hoos and Leyton-Brown 2014), computed by Optuna,
of the part that a random forest predicts for unseen students.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy
import pandas

from results import wording
from results.experiment import Experiment
from results.knob_interactions import varied_knobs
from results.stats import indicators
from results.students import knob_columns
from results.ties import seed_blocks
from results.variance_shares import INTERACTIONS, NOISE, variance_shares
from spaces.domain import Choice

FEWEST_STUDENTS = 12  # with fewer, differences between seeds dominate
# The time of all forests grows with these: at most about two seconds, with a few percent of difference from full trees.
MOST_STUDENTS = 300  # drawn per forest
RESAMPLES, TREES, MAX_TREE_DEPTH = 12, 8, 5
FOLDS, FOREST_TREES = 5, 32  # of the prediction of unseen students


class KnobShare(NamedTuple):
    """Share of the variance explained by a knob, or unexplained, in percent.

    Mean, 5 % and 95 % quantile over bootstrap resamples.
    """

    knob: str
    mean: float
    low: float
    high: float


class KnobImportance(NamedTuple):
    """Shares of all knobs, largest first, then the unexplained one."""

    shares: list[KnobShare]
    n: int
    caption: str


def knob_importance(experiment: Experiment) -> KnobImportance | None:
    """Return the importance of the knobs common to all students.

    Students stopped early are left out. None with fewer than FEWEST_STUDENTS students or two varying knobs.
    """
    students = _comparable_explored(experiment)
    names = varied_knobs(students)
    if len(students) < FEWEST_STUDENTS or len(names) < 2 or students[experiment.metric].nunique() < 2:
        return None
    scores = students[experiment.metric].to_numpy(float)
    labels = {name: [wording.format_label(value) for value in students[name]] for name in names}
    is_replicated = len(students) >= 1.5 * len(set(zip(*labels.values(), strict=True)))
    shares = variance_shares(scores, labels, seed_blocks(students)) if is_replicated else {}
    if not shares:
        shares = _predicted_shares(students, names, experiment)
    if not shares:
        return None
    summaries = {name: _knob_share(wording.short_name(name, experiment.space.knobs), shares[name]) for name in shares}
    unexplained = summaries.pop(NOISE)
    ordered = sorted(summaries.values(), key=lambda share: -share.mean)
    return KnobImportance(
        [*ordered, unexplained], len(students), _importance_caption(students, experiment, INTERACTIONS in shares)
    )


def _predicted_shares(students: pandas.DataFrame, names: list[str], experiment: Experiment) -> dict[str, Any]:
    """Return resampled shares by fANOVA of the predictable part."""
    shares = _resampled_shares(students, names, experiment)
    if len(shares[names[0]]) < RESAMPLES / 2:
        return {}
    predicted = _predicted_part(students, names, experiment)
    scaled = {name: [predicted * share for share in shares[name]] for name in names}
    return scaled | {NOISE: [100 * (1 - predicted)] * len(shares[names[0]])}


def _predicted_part(students: pandas.DataFrame, names: list[str], experiment: Experiment) -> float:
    """Return the variance predicted for unseen students, from 0 to 1."""
    from sklearn.ensemble import RandomForestRegressor  # imports a second, as Optuna's fANOVA does
    from sklearn.model_selection import KFold, cross_val_predict

    shown = students.sample(min(len(students), MOST_STUDENTS), random_state=0)
    columns = [_predictors(name, shown[name], experiment) for name in names]
    scores, folds = shown[experiment.metric].to_numpy(float), KFold(FOLDS, shuffle=True, random_state=0)
    forest = RandomForestRegressor(FOREST_TREES, random_state=0)
    errors = cross_val_predict(forest, numpy.hstack(columns), scores, cv=folds) - scores
    return float(numpy.clip(1 - (errors**2).mean() / scores.var(), 0, 1))


def _predictors(name: str, values: pandas.Series, experiment: Experiment) -> Any:
    """Return a knob as columns: a number, or one indicator per label."""
    distribution = _distribution(name, values, experiment)
    if hasattr(distribution, "choices"):
        return indicators([wording.format_label(value) for value in values])
    return values.to_numpy(float)[:, None]


def _comparable_explored(experiment: Experiment) -> pandas.DataFrame:
    """Return the finished explored students with the full number of epochs."""
    students = experiment.students
    finished = students[(students["stage"] == "explore") & (students["status"] == "finished")]
    return finished[(finished["epochs"] == finished["epochs"].max()) & finished[experiment.metric].notna()]


def _resampled_shares(students: pandas.DataFrame, names: list[str], experiment: Experiment) -> dict[str, list[float]]:
    """Return the shares of each knob over bootstrap resamples (Efron 1979)."""
    # imported here: only this figure needs Optuna, and its import takes a second
    import optuna  # noqa: TID251

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    random = numpy.random.default_rng(0)
    shares: dict[str, list[float]] = {name: [] for name in names}
    trials = _optuna_trials(students, names, experiment)
    for _ in range(RESAMPLES):
        drawn = random.integers(len(trials), size=min(len(trials), MOST_STUDENTS))
        study = optuna.create_study()
        study.add_trials([trials[index] for index in drawn])
        evaluator = optuna.importance.FanovaImportanceEvaluator(
            n_trees=TREES, max_depth=MAX_TREE_DEPTH, seed=int(random.integers(2**31))
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            try:
                importances = optuna.importance.get_param_importances(study, evaluator=evaluator, params=names)
            except RuntimeError:  # all students of the resample have the same score
                continue
        for name in names:
            shares[name].append(100 * float(importances[name]))
    return shares


def _optuna_trials(students: pandas.DataFrame, names: list[str], experiment: Experiment) -> list[Any]:
    from optuna.trial import create_trial  # noqa: TID251

    spread = {name: _distribution(name, students[name], experiment) for name in names}
    columns = {
        name: [wording.format_label(value) if hasattr(spread[name], "choices") else value for value in students[name]]
        for name in names
    }
    scores = zip(students[experiment.metric], *columns.values(), strict=True)
    return [
        create_trial(value=float(score), params=dict(zip(names, values, strict=True)), distributions=spread)
        for score, *values in scores
    ]


def _distribution(name: str, values: pandas.Series, experiment: Experiment) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution  # noqa: TID251

    domains = [domain for path, domain in experiment.space.domains if path == name]
    if any(isinstance(domain, Choice) for domain in domains) or any(isinstance(value, str | bool) for value in values):
        return CategoricalDistribution(sorted({wording.format_label(value) for value in values}))
    log = bool(domains) and all(domain.log for domain in domains)
    return FloatDistribution(float(values.min()), float(values.max()), log=log)


def _knob_share(name: str, shares: Sequence[float] | numpy.ndarray) -> KnobShare:
    low, high = (float(end) for end in numpy.quantile(shares, [0.05, 0.95]))
    return KnobShare(name, round(float(numpy.mean(shares)), 2), round(low, 2), round(high, 2))


def _importance_caption(students: pandas.DataFrame, experiment: Experiment, is_replicated: bool) -> str:
    absent = [name for name in knob_columns(students) if students[name].isna().any()]
    lines = [
        f"Share of the variance of {experiment.metric} explained by each knob, from n = {len(students)} finished "
        "students of the search.",
        "Noise, measured between seeds, is taken out of each share (omega squared)."
        if is_replicated
        else "fANOVA of the part that a random forest predicts for unseen students; the rest is unexplained.",
        "Bars: mean; whiskers: 5 % to 95 % of bootstrap resamples.",
        "The shares depend on the values searched.",
    ]
    if len(students) > MOST_STUDENTS and not is_replicated:
        lines.append(f"Each resample has only {MOST_STUDENTS} students, which widens the whiskers.")
    if absent:
        lines.append(f"Left out, because not every student has them: {', '.join(absent)}.")
    return " ".join(lines)
