"""Parallel coordinates: one axis per knob, one line per student."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas

from results import grids, wording
from results.experiment import Experiment
from results.grids import Label
from results.students import knob_columns
from spaces.domain import Choice


class Axis(NamedTuple):
    """One axis: a position per student, and labeled ticks.

    Without ticks the axis shows numbers.
    """

    name: str
    positions: list[float]
    ticks: list[float]
    labels: list[str]


class ParallelCoordinates(NamedTuple):
    """Axes of varying knobs, epochs and validation accuracy.

    Equal epochs have no axis. `percent` is the validation accuracy of each student, for its color.
    """

    axes: list[Axis]
    percent: list[float]


def parallel_coordinates(experiment: Experiment) -> ParallelCoordinates | None:
    """Return the axes for finished and stopped distilled students.

    None with fewer than two students or no varying knob.
    """
    students = experiment.students
    ended = students[students["status"].isin(["finished", "stopped"]) & students["val_accuracy"].notna()]
    shown = ended[ended["stage"] != "baseline"]
    varying = [name for name in knob_columns(shown) if shown[name].nunique(dropna=False) > 1]
    if len(shown) < 2 or not varying:
        return None
    axes = [_knob_axis(name, shown[name], experiment) for name in varying]
    if shown["epochs"].nunique() > 1:
        axes.append(_choice_axis("epochs", shown["epochs"].astype(object), []))
    percent = [round(100 * float(value), 3) for value in shown["val_accuracy"]]
    return ParallelCoordinates([*axes, Axis("validation %", percent, [], [])], percent)


def _knob_axis(name: str, values: pandas.Series, experiment: Experiment) -> Axis:
    title = wording.short_name(name, experiment.space.knobs)
    domains = [domain for path, domain in experiment.space.domains if path == name]
    if all(isinstance(domain, Choice) for domain in domains) or any(isinstance(value, str) for value in values):
        return _choice_axis(title, values, experiment.choice_labels.get(name, []))
    return _number_axis(title, list(values), all(domain.log for domain in domains))


def _choice_axis(title: str, values: pandas.Series, options: Sequence[Label]) -> Axis:
    """Return an axis with evenly spaced options.

    Texts are in the order of the space. Students without the knob have the first position.
    """
    labels = [wording.format_label(value) for value in grids.sorted_labels(values, options)]
    labels = ["–"] * bool(values.isna().any()) + labels
    positions = [float(labels.index(wording.format_label(value))) for value in values]
    return Axis(title, positions, [float(index) for index in range(len(labels))], labels)


def _number_axis(title: str, values: Sequence[Any], log: bool) -> Axis:
    """Return a linear or logarithmic axis.

    Students without the knob lie below its lower end.
    """
    scaled = [None if pandas.isna(value) else math.log10(value) if log else float(value) for value in values]
    numbers = [value for value in scaled if value is not None]
    low, high = min(numbers), max(numbers)
    below = low - 0.15 * ((high - low) or 1.0)
    ticks = [round(low + (high - low) * part / 4, 6) for part in range(5)] if high > low else [low]
    labels = [f"{10**tick if log else tick:.3g}" for tick in ticks]
    missing = None in scaled
    positions = [below if value is None else round(value, 6) for value in scaled]
    return Axis(title, positions, [below] * missing + ticks, ["–"] * missing + labels)
