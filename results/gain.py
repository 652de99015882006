"""Gain of the chosen configuration over the student alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy
import pandas

from results import stats
from results.experiment import Experiment, computed_once
from results.leaderboard import configuration_numbers, group_configurations, label_tuples, matching_students, sort_key
from results.selection import differences_to_last, selection_quantile
from results.students import knob_columns
from spaces.metrics import TEST_FIELDS, VAL_FIELDS

ACCURACY = "test_accuracy"
TRAINING = "train."  # start of the paths of training knobs
_METHOD = ("method.", "teacher.")  # starts of the paths of knobs that a baseline lacks


class Gain(NamedTuple):
    """The chosen configuration beside its baseline.

    `metric` is a field on the test set, all numbers are fractions. `difference` is None without a common seed.
    `candidates` is the number of configurations from which the chosen one was taken. `baselines` are the students of
    the reference, the best by validation of `baseline_settings` ones. `teacher` is NaN without a teacher.
    """

    chosen: pandas.Series
    metric: str
    difference: stats.Difference | None
    candidates: int
    students: pandas.DataFrame
    baselines: pandas.DataFrame
    baseline_settings: int
    teacher: float


@computed_once
def experiment_gain(experiment: Experiment) -> Gain | None:
    """Return the gain of the chosen configuration, None without a ranked one.

    The chosen configuration is the first of the leaderboard.
    """
    lines, finished = experiment.leaderboard(), experiment.students[experiment.students["status"] == "finished"]
    ranked = lines[lines["rank"].notna()]
    if ranked.empty:
        return None
    chosen = ranked.iloc[0]
    winners = matching_students(finished, dict(chosen[["stage", *knob_columns(experiment.students)]]))
    settings = _baseline_settings(finished, winners, experiment.metric)
    baselines, metric = settings[0] if settings else finished.iloc[:0], gain_metric(experiment)
    return Gain(
        chosen=chosen,
        metric=metric,
        difference=ranked_differences(experiment).get(chosen.name),
        candidates=_candidates(experiment, lines),
        students=winners,
        baselines=baselines,
        baseline_settings=len(settings),
        teacher=_teacher_score(experiment, winners, metric),
    )


@computed_once
def ranked_differences(experiment: Experiment) -> dict[Any, stats.Difference]:
    """Return the gain of each ranked line of the leaderboard over its baseline.

    Lines without a baseline of the same seeds are left out. Each baseline is compared with all ranked configurations of
    as many epochs, which show the noise. The intervals are corrected for the choice of the best by validation. Students
    without validation images were chosen before they were trained: each is compared with its baseline alone.
    """
    lines, finished = experiment.leaderboard(), experiment.students[experiment.students["status"] == "finished"]
    ranked, columns = lines[lines["rank"].notna()], ["stage", *knob_columns(experiment.students)]
    baselines = finished[finished["stage"] == "baseline"]
    if ranked.empty or baselines.empty:
        return {}
    metric, chosen_by, numbers = gain_metric(experiment), experiment.metric, configuration_numbers(finished)
    first = finished[~numbers.duplicated()]
    number_of = dict(zip(label_tuples(first, columns), numbers[first.index], strict=True))
    line_numbers = pandas.Series([number_of[key] for key in label_tuples(ranked, columns)], ranked.index)
    # means over teachers: a baseline, which has no teacher, is paired with all of them at once
    means = finished.groupby([numbers.rename("number"), "seed"])[[metric, chosen_by]].mean().unstack("seed")
    shared, is_validated = network_knobs(columns[1:]), ranked[chosen_by].notna().any()
    networks = pandas.Series(label_tuples(ranked, ["epochs", *(shared if is_validated else columns[1:])]), ranked.index)
    pairable = networks[_has_baseline(ranked, baselines, shared)]
    quantiles, differences = dict[Any, float](), dict[Any, stats.Difference]()
    for network in dict.fromkeys(pairable):
        is_alike, is_peer = networks == network, ranked["epochs"] == network[0]
        alike = list(ranked.index[is_alike])
        settings = _baseline_settings(finished, finished[numbers == line_numbers[alike[0]]], chosen_by)
        if not settings:
            continue
        places = [*alike, *ranked.index[is_peer & ~is_alike & is_validated]]
        reference = settings[0].groupby("seed")[[metric, chosen_by]].mean()
        tests, validations = (means[name].loc[line_numbers[places]] for name in (metric, chosen_by))
        scored = reference.index[reference[metric].notna()]
        seeds = scored.intersection(tests.columns[tests.iloc[0].notna()])
        if seeds.empty:
            continue
        complete = ~numpy.isnan(tests[seeds].to_numpy(float)).any(1)
        scores = numpy.vstack([tests[seeds][complete], reference.loc[seeds, metric]]).astype(float)
        places = [place for place, is_complete in zip(places, complete, strict=True) if is_complete]
        if network[0] not in quantiles:  # of the winner exactly, of other networks nearly
            choice = numpy.vstack([validations[seeds][complete], reference.loc[seeds, chosen_by]]).astype(float)
            sign = -1 if VAL_FIELDS[chosen_by].metric.direction == "min" else 1
            names = [tuple(map(str, labels)) for labels in label_tuples(ranked.loc[places], columns[1:])]
            quantiles[network[0]] = selection_quantile(scores, sign * choice, _candidates(experiment, lines), names)
        compared = dict(zip(places, differences_to_last(scores, quantiles[network[0]]), strict=True))
        differences |= {place: compared[place] for place in alike if place in compared}
    return differences


def _candidates(experiment: Experiment, lines: pandas.DataFrame) -> int:
    """Return the number of configurations from which the first was chosen by these students."""
    ranked = lines[lines["rank"].notna()]
    if ranked[experiment.metric].isna().all():  # chosen in exploration, before any of these students was trained
        return 1
    return max(1, int((lines["stage"] == ranked["stage"].iloc[0]).sum()))


def _has_baseline(lines: pandas.DataFrame, baselines: pandas.DataFrame, shared: list[str]) -> pandas.Series:
    """Return True for lines with a baseline of the same network and epochs."""
    matches = pandas.Series(False, lines.index)
    for _, baseline in baselines.drop_duplicates(["epochs", *shared]).iterrows():
        same = lines["epochs"] == baseline["epochs"]
        for knob in shared:
            same &= pandas.isna(baseline[knob]) | (lines[knob] == baseline[knob])
        matches |= same
    return matches


def gain_metric(experiment: Experiment) -> str:
    """Return the test field of the search's metric.

    It is accuracy for a search on a loss.
    """
    metric = VAL_FIELDS[experiment.metric].metric
    field = f"test_{metric.name}"
    is_score = metric.unit == "fraction" and metric.direction == "max" and field in TEST_FIELDS
    return field if is_score and experiment.students[field].notna().any() else ACCURACY


def network_knobs(knobs: Sequence[str]) -> list[str]:
    """Return the knobs in which a configuration and its baseline agree."""
    return [knob for knob in knobs if not knob.startswith((*_METHOD, TRAINING)) and knob not in ("method", "train")]


def _baseline_settings(finished: pandas.DataFrame, chosen: pandas.DataFrame, metric: str) -> list[pandas.DataFrame]:
    """Return the comparable baselines, one group per training setting.

    They have the network, epochs and seeds of the chosen configuration. Those with most seeds come first, then the
    best by validation, so that the first one was chosen as the configuration was.
    """
    first = chosen.iloc[0]
    baselines = finished[(finished["stage"] == "baseline") & finished["seed"].isin(chosen["seed"])]
    baselines = baselines[baselines["epochs"] == first["epochs"]]
    for knob in network_knobs(knob_columns(finished)):
        baselines = baselines[baselines[knob].isna() | (baselines[knob] == first[knob])]
    groups = group_configurations(baselines)
    if chosen[metric].notna().any():
        groups = [group for group in groups if group[metric].notna().any()]
        scores = [sort_key(group, metric).mean() for group in groups]
    else:  # nothing to choose by but the exploration, or the training of the configuration
        scores = [_explored_score(finished, group, metric) for group in groups]
        if all(map(pandas.isna, scores)):
            training = [knob for knob in knob_columns(finished) if knob.startswith(TRAINING)]
            groups = [group for group in groups if (group[training].iloc[0] == first[training]).all()]
            scores = [0.0] * len(groups)
    order = sorted(
        range(len(groups)),
        key=lambda place: (-groups[place]["seed"].nunique(), pandas.isna(scores[place]), scores[place]),
    )
    return [groups[place] for place in order]


def _explored_score(finished: pandas.DataFrame, baselines: pandas.DataFrame, metric: str) -> float:
    """Return the score of the same setting on validation, NaN without one."""
    same = matching_students(finished, dict(baselines.iloc[0][["stage", *knob_columns(finished)]]))
    return float(sort_key(same, metric).mean())


def _teacher_score(experiment: Experiment, chosen: pandas.DataFrame, metric: str) -> float:
    """Return the mean score of the teachers of the chosen configuration."""
    records = [experiment.teachers[key] for key in set(chosen["teacher_key"]) if key in experiment.teachers]
    scores = pandas.Series([record.get(metric) for record in records], dtype=float)
    return float(scores.mean())
