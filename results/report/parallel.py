"""All knobs side by side: one line per student."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas

from results import grids, wording
from results.experiment import Experiment
from results.students import knobs
from spaces.domain import Choice, LogUniform


class Axis(NamedTuple):
    """One axis: where on it each student lies, and the positions that have a label (none: ordinary numbers)."""

    name: str
    positions: list[float]
    ticks: list[float]
    labels: list[str]


class Parallel(NamedTuple):
    """Axes for the knobs that vary, for the epochs where they differ, and last for validation accuracy in percent."""

    axes: list[Axis]
    percent: list[float]


def parallel(experiment: Experiment) -> Parallel | None:
    """The parallel coordinates of finished and stopped students that have a teacher; None with fewer than two."""
    students = experiment.students
    ended = students[students["status"].isin(["finished", "stopped"]) & students["val_accuracy"].notna()]
    shown = ended[ended["stage"] != "baseline"]
    varying = [name for name in knobs(shown) if shown[name].nunique(dropna=False) > 1]
    if len(shown) < 2 or not varying:
        return None
    axes = [_axis(name, shown[name], experiment) for name in varying]
    if shown["epochs"].nunique() > 1:
        axes.append(_steps("epochs", shown["epochs"].astype(object), []))
    percent = [round(100 * float(value), 3) for value in shown["val_accuracy"]]
    return Parallel([*axes, Axis("validation %", percent, [], [])], percent)


def _axis(name: str, values: pandas.Series, experiment: Experiment) -> Axis:
    title = wording.short(name, experiment.space.knobs)
    domains = [domain for path, domain in experiment.space.domains if path == name]
    if all(isinstance(domain, Choice) for domain in domains) or any(isinstance(value, str) for value in values):
        options = [label for domain in domains if isinstance(domain, Choice) for label in domain.labels]
        return _steps(title, values, [wording.label(label) for label in options])
    return _numbers(title, list(values), all(isinstance(domain, LogUniform) for domain in domains))


def _steps(title: str, values: pandas.Series, options: list[str]) -> Axis:
    """A choice: its options evenly spread, words in the order given, and a place for students without the knob."""
    known = [wording.label(value) for value in grids.labels(values)]
    if any(isinstance(value, str) for value in values):
        known.sort(key=lambda label: options.index(label) if label in options else len(options))
    labels = ["–"] * bool(values.isna().any()) + known
    places = [float(labels.index(wording.label(value))) for value in values]
    return Axis(title, places, [float(place) for place in range(len(labels))], labels)


def _numbers(title: str, values: Sequence[Any], log: bool) -> Axis:
    """A range, logarithmic where it was searched so; students without the knob lie below its lower end."""
    here = [None if pandas.isna(value) else math.log10(value) if log else float(value) for value in values]
    known = [value for value in here if value is not None]
    low, high = min(known), max(known)
    below = low - 0.15 * ((high - low) or 1.0)
    places = [round(low + (high - low) * part / 4, 6) for part in range(5)] if high > low else [low]
    labels = [f"{10**place if log else place:.3g}" for place in places]
    absent = None in here
    positions = [below if value is None else round(value, 6) for value in here]
    return Axis(title, positions, [below] * absent + places, ["–"] * absent + labels)
