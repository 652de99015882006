"""Gain of the chosen configuration over the student alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy
import pandas

from results import stats
from results.experiment import Experiment
from results.leaderboard import group_configurations, matching_students, sort_key
from results.selection import selected_difference
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


def experiment_gain(experiment: Experiment) -> Gain | None:
    """Return the gain of the chosen configuration, None without a ranked one.

    The chosen configuration is the first of the leaderboard. If it comes from several candidates, its interval is
    corrected for their number: what chooses must not score.
    """
    lines, finished = experiment.leaderboard(), experiment.students[experiment.students["status"] == "finished"]
    ranked = lines[lines["rank"].notna()]
    if ranked.empty:
        return None
    chosen, columns = ranked.iloc[0], ["stage", *knob_columns(experiment.students)]
    winners = matching_students(finished, dict(chosen[columns]))
    peers = group_configurations(finished[finished["stage"] == chosen["stage"]].drop(index=winners.index))
    configurations = [winners, *(group for group in peers if _is_comparable(group, chosen))]
    candidates = max(1, int((lines["stage"] == chosen["stage"]).sum()))
    if winners[experiment.metric].isna().all():  # chosen in exploration, before any of these students was trained
        configurations, candidates = [winners], 1
    settings = _baseline_settings(finished, winners, experiment.metric)
    baselines, metric = settings[0] if settings else finished.iloc[:0], gain_metric(experiment)
    return Gain(
        chosen=chosen,
        metric=metric,
        difference=_difference(configurations, baselines, metric, experiment.metric, candidates),
        candidates=candidates,
        students=winners,
        baselines=baselines,
        baseline_settings=len(settings),
        teacher=_teacher_score(experiment, winners, metric),
    )


def _is_comparable(group: pandas.DataFrame, chosen: pandas.Series) -> bool:
    """True for as many students and epochs as the chosen configuration."""
    return len(group) == chosen["n"] and group["epochs"].max() == chosen["epochs"]


def gain_metric(experiment: Experiment) -> str:
    """Return the test field of the search's metric.

    It is accuracy for a search on a loss.
    """
    metric = VAL_FIELDS[experiment.metric].metric
    field = f"test_{metric.name}"
    is_score = metric.unit == "fraction" and metric.direction == "max" and field in TEST_FIELDS
    return field if is_score and experiment.students[field].notna().any() else ACCURACY


def _baseline_settings(finished: pandas.DataFrame, chosen: pandas.DataFrame, metric: str) -> list[pandas.DataFrame]:
    """Return the comparable baselines, one group per training setting.

    They have the network, epochs and seeds of the chosen configuration. Those with most seeds come first, then the
    best by validation, so that the first one was chosen as the configuration was.
    """
    first = chosen.iloc[0]
    baselines = finished[(finished["stage"] == "baseline") & finished["seed"].isin(chosen["seed"])]
    baselines = baselines[baselines["epochs"] == first["epochs"]]
    for knob in knob_columns(finished):
        if not knob.startswith((*_METHOD, TRAINING)) and knob not in ("method", "train"):
            baselines = baselines[baselines[knob].isna() | (baselines[knob] == first[knob])]
    groups = group_configurations(baselines)
    if chosen[metric].notna().any():
        groups = [group for group in groups if group[metric].notna().any()]
    else:  # nothing to choose by: the baseline with the training of the configuration
        training = [knob for knob in knob_columns(finished) if knob.startswith(TRAINING)]
        groups = [group for group in groups if (group[training].iloc[0] == first[training]).all()]
    return sorted(groups, key=lambda group: (-group["seed"].nunique(), sort_key(group, metric).mean()))


def _difference(
    configurations: list[pandas.DataFrame], baselines: pandas.DataFrame, metric: str, chosen_by: str, candidates: int
) -> stats.Difference | None:
    """Return the first configuration − the baseline over their common seeds.

    The other configurations with all these seeds show the noise.
    """
    if baselines.empty:
        return None
    # means over teachers: a baseline, which has no teacher, is paired with all of them at once
    cells = [group.groupby("seed")[[metric, chosen_by]].mean() for group in (*configurations, baselines)]
    seeds = cells[0].index.intersection(cells[-1].index)
    if seeds.empty or cells[0][metric].isna().any():
        return None
    first, *peers = (cell.reindex(seeds) for cell in cells)
    complete = [0, *(place for place, cell in enumerate(peers[:-1], 1) if cell[metric].notna().all())]
    compared = [*((first, *peers)[place] for place in complete), peers[-1]]
    scores = numpy.array([cell[metric] for cell in compared], float)
    choice = numpy.array([-sort_key(cell, chosen_by) for cell in compared], float)
    knobs = knob_columns(baselines)
    names = [tuple(map(str, configurations[place][knobs].iloc[0])) for place in complete]
    return selected_difference(scores, choice, 0, candidates, names)


def _teacher_score(experiment: Experiment, chosen: pandas.DataFrame, metric: str) -> float:
    """Return the mean score of the teachers of the chosen configuration."""
    records = [experiment.teachers[key] for key in set(chosen["teacher_key"]) if key in experiment.teachers]
    scores = pandas.Series([record.get(metric) for record in records], dtype=float)
    return float(scores.mean())
