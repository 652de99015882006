"""Reasons to doubt the result of an experiment."""

from __future__ import annotations

from collections.abc import Iterator

import numpy
import pandas

from results import wording
from results.experiment import Experiment
from results.gain import Gain
from results.knob_interactions import knobs_without_effect
from results.leaderboard import FAILURES
from results.students import read_teacher_weights
from spaces.domain import Choice, Domain

EDGE_SHARE = 0.02  # of a range, at either end


def experiment_cautions(experiment: Experiment, gain: Gain | None) -> list[str]:
    """Return one sentence per reason to doubt the result."""
    cautions = list(_failure_cautions(experiment))
    if gain is not None:
        cautions += [*_teacher_cautions(gain), *_seed_cautions(gain), *_edge_cautions(experiment, gain)]
        cautions += _effect_cautions(experiment)
    return cautions


def _failure_cautions(experiment: Experiment) -> Iterator[str]:
    counts = experiment.students["status"].value_counts()
    parts = [f"{counts[status]} {status}" for status in FAILURES if status in counts]
    if parts:
        yield f"Of {len(experiment.students)} students, {' and '.join(parts)}."


def _teacher_cautions(gain: Gain) -> Iterator[str]:
    baseline = gain.baselines[gain.metric].mean()
    if gain.teacher <= baseline:
        teacher, student = wording.format_percent(gain.teacher), wording.format_percent(baseline)
        yield f"The teacher ({teacher} %) is not better than the student alone ({student} %)."


def _seed_cautions(gain: Gain) -> Iterator[str]:
    difference = gain.difference
    if difference is None or difference.low > 0 or difference.high < 0:
        return
    if numpy.isnan(difference.low):
        yield "One seed cannot show a gain; add seeds, or `confirm: {top: 3, seeds: [10, 11, 12]}`."
    else:
        half = wording.format_points(difference.high - difference.mean).removeprefix("+")
        yield f"n = {difference.n} shows only gains above about {half} points; more seeds show smaller ones."


def _edge_cautions(experiment: Experiment, gain: Gain) -> Iterator[str]:
    """Yield one sentence per knob at an end of its range.

    A teacher weight of 0 or 1 is at an end of its meaning, beyond which there is nothing to search.
    """
    weights = read_teacher_weights(experiment.folder)
    for path in experiment.space.knobs:
        value = gain.chosen.get(path)
        if path in weights and value in (0, 1):
            continue
        domains = [domain for name, domain in experiment.space.domains if name == path]
        if len(domains) == 1 and isinstance(value, int | float) and not isinstance(value, bool):
            end = _edge(domains[0], value)
            if end and not pandas.isna(value):
                name = wording.short_name(path, experiment.space.knobs)
                yield f"The winner has the {end} {name} searched, {wording.format_label(value)}: search beyond it."


def _effect_cautions(experiment: Experiment) -> Iterator[str]:
    names = [wording.short_name(knob, experiment.space.knobs) for knob in knobs_without_effect(experiment)]
    if names:
        yield f"No effect of {' or '.join(names)} found: these students do not distinguish its values."


def _edge(domain: Domain, value: float) -> str | None:
    """Return "lowest" or "highest" at an end of the domain."""
    if isinstance(domain, Choice):
        numbers = sorted(label for label in domain.labels if isinstance(label, int | float))
        if len(numbers) < 3 or len(numbers) < len(domain.labels):
            return None
        low, high, margin = float(numbers[0]), float(numbers[-1]), 0.0
    else:
        scale = numpy.log if domain.log else float
        low, high, value = (float(scale(number)) for number in (domain.low, domain.high, value))
        margin = EDGE_SHARE * (high - low)
    return "lowest" if value <= low + margin else "highest" if value >= high - margin else None
