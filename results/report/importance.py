"""Which knobs explain the differences between students: fANOVA (Hutter, Hoos and Leyton-Brown 2014), by Optuna."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy
import pandas

from results import wording
from results.experiment import Experiment
from results.students import knobs
from spaces.domain import Choice, LogUniform

FEWEST = 12  # students; a forest grown from fewer says more about luck than about knobs
MOST = 300  # students drawn for each forest, which would take minutes to grow from thousands
RESAMPLES, TREES = 20, 8


class Share(NamedTuple):
    """The share of the variance in percent that a knob explains on average over resamples, and their middle 90 %."""

    knob: str
    mean: float
    low: float
    high: float


class Importance(NamedTuple):
    """The shares, largest first, and how they were found."""

    shares: list[Share]
    n: int
    caption: str


def importance(experiment: Experiment) -> Importance | None:
    """The importance of the knobs that all students have; None where there are too few students or knobs.

    Students stopped early are left out: their accuracy is not of the same number of epochs.
    """
    students = _equals(experiment)
    names = [name for name in knobs(students) if students[name].notna().all() and students[name].nunique() > 1]
    if len(students) < FEWEST or len(names) < 2 or students[experiment.metric].nunique() < 2:
        return None
    shares = _resampled(students, names, experiment)
    if len(shares[names[0]]) < RESAMPLES / 2:
        return None
    found = [_share(wording.short(name, experiment.space.knobs), shares[name]) for name in names]
    return Importance(sorted(found, key=lambda share: -share.mean), len(students), _caption(students, experiment))


def _equals(experiment: Experiment) -> pandas.DataFrame:
    students = experiment.students
    done = students[(students["stage"] == "explore") & (students["status"] == "finished")]
    return done[(done["epochs"] == done["epochs"].max()) & done[experiment.metric].notna()]


def _resampled(students: pandas.DataFrame, names: list[str], experiment: Experiment) -> dict[str, list[float]]:
    """The bootstrap (Efron 1979) over students: the importance of each knob in each resample."""
    # here, because only this figure needs Optuna, which takes a second to import
    import optuna  # noqa: TID251

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    random = numpy.random.default_rng(0)
    shares: dict[str, list[float]] = {name: [] for name in names}
    trials = _trials(students, names, experiment)
    for _ in range(RESAMPLES):
        drawn = random.integers(len(trials), size=min(len(trials), MOST))
        study = optuna.create_study()
        study.add_trials([trials[index] for index in drawn])
        judge = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=int(random.integers(2**31)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            try:
                found = optuna.importance.get_param_importances(study, evaluator=judge, params=names)
            except RuntimeError:  # the students drawn are all equally good
                continue
        for name in names:
            shares[name].append(100 * float(found[name]))
    return shares


def _trials(students: pandas.DataFrame, names: list[str], experiment: Experiment) -> list[Any]:
    from optuna.trial import create_trial  # noqa: TID251

    spread = {name: _distribution(name, students[name], experiment) for name in names}
    columns = {
        name: [wording.label(value) if hasattr(spread[name], "choices") else value for value in students[name]]
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
        return CategoricalDistribution(sorted({wording.label(value) for value in values}))
    log = bool(domains) and all(isinstance(domain, LogUniform) for domain in domains)
    return FloatDistribution(float(values.min()), float(values.max()), log=log)


def _share(name: str, shares: list[float]) -> Share:
    low, high = (float(end) for end in numpy.quantile(shares, [0.05, 0.95]))
    return Share(name, round(float(numpy.mean(shares)), 2), round(low, 2), round(high, 2))


def _caption(students: pandas.DataFrame, experiment: Experiment) -> str:
    absent = [name for name in knobs(students) if students[name].isna().any()]
    lines = [
        f"Share of the variance of {experiment.metric} that each knob explains (fANOVA), from n = {len(students)} "
        "finished students of the search.",
        f"Bars: mean, whiskers: 5 % to 95 % of {RESAMPLES} bootstrap resamples over students.",
        "This is about the values that were tried, not about the knob as such.",
    ]
    if len(students) > MOST:
        lines.append(f"Each resample has {MOST} students, which makes the whiskers wider than they need be.")
    if absent:
        lines.append(f"Left out, because not every student has them: {', '.join(absent)}.")
    return " ".join(lines)
