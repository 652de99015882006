"""Students as points of the figures over knobs.

One axis per knob: the same positions are drawn as history, slices, contour and parallel coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas

from results import grids, wording
from results.experiment import Experiment
from results.grids import Label
from results.students import knob_columns, table_rows
from results.thinning import thin
from spaces.domain import Choice

MAX_POINTS = 1000


class Axis(NamedTuple):
    """One axis: a position per student, and labeled ticks.

    Without ticks the axis shows numbers. `is_choice`: the positions are those of options.
    """

    name: str
    positions: list[float]
    ticks: list[float]
    labels: list[str]
    is_choice: bool


class StudentPoints(NamedTuple):
    """Finished and stopped distilled students, one entry each in all lists.

    `axes` are the varying knobs and the epochs, if these vary. `percent` is the validation accuracy, `order` the place
    among the ends, from 1. `best` is the highest accuracy of a finished student up to this place. `baseline` is the
    mean of the baselines, None without one. `note` says if only a selection is shown.
    """

    axes: list[Axis]
    percent: list[float]
    order: list[int]
    statuses: list[str]
    labels: list[str]
    best: list[float | None]
    baseline: float | None
    note: str


def student_points(experiment: Experiment) -> StudentPoints | None:
    """Return the points of an experiment.

    None with fewer than two students or no varying knob.
    """
    students = experiment.students
    ended = students[students["status"].isin(["finished", "stopped"]) & students["val_accuracy"].notna()]
    distilled = _in_order(ended[ended["stage"] != "baseline"], experiment.epochs)
    knobs = knob_columns(students)
    varying = [name for name in knobs if distilled[name].nunique(dropna=False) > 1]
    if len(distilled) < 2 or not varying:
        return None
    shown, note = thin(distilled, -distilled["val_accuracy"], MAX_POINTS)
    axes = [_knob_axis(name, shown[name], experiment) for name in varying]
    if shown["epochs"].nunique() > 1:
        axes.append(_choice_axis("epochs", shown["epochs"].astype(object), []))
    baselines = ended["val_accuracy"][(ended["stage"] == "baseline") & (ended["status"] == "finished")]
    rows = table_rows(shown)
    return StudentPoints(
        axes=axes,
        percent=[_percent(value) for value in shown["val_accuracy"]],
        order=shown["order"].tolist(),
        statuses=shown["status"].tolist(),
        labels=[f"{wording.format_configuration(row, knobs)}, seed {row['seed']}" for row in rows],
        best=[None if pandas.isna(value) else _percent(value) for value in shown["best"]],
        baseline=_percent(baselines.mean()) if len(baselines) else None,
        note=note,
    )


def _percent(fraction: float) -> float:
    return round(100 * float(fraction), 3)


def _in_order(students: pandas.DataFrame, epochs: pandas.DataFrame) -> pandas.DataFrame:
    """Sort students by their ends; add `order` and `best`."""
    times = students["trial"].map(epochs.groupby("trial")["time"].max())
    ordered = students.loc[times.sort_values(kind="stable").index]
    best = ordered["val_accuracy"].where(ordered["status"] == "finished").cummax().ffill()
    return ordered.assign(order=range(1, len(ordered) + 1), best=best)


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
    places = {label: float(place) for place, label in enumerate(labels)}
    positions = [places[wording.format_label(value)] for value in values]
    return Axis(title, positions, list(places.values()), labels, is_choice=True)


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
    return Axis(title, positions, [below] * missing + ticks, ["–"] * missing + labels, is_choice=False)
