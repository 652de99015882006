"""Number columns of tables: selection, heads and units.

Heads and units of metrics come from spaces/metrics.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas

from results import wording
from results.compared_leaderboard import GAIN_PARTS
from results.experiment import Experiment
from results.leaderboard import INTEGER_NUMBERS
from results.plain_distillation import plain_differences
from results.students import DIAGNOSIS_PREFIX
from spaces.metrics import METRIC_FIELDS, MetricField, Shown

GAIN_HEADS = {"gain": "gain over the student alone", "over_plain": "gain over plain distillation"}
GAIN_ENDS = tuple(name + end for name in GAIN_HEADS for end in GAIN_PARTS if end)  # columns of the intervals
OTHER_HEADS = {
    **GAIN_HEADS,
    "n": "n",
    "epochs": "epochs",
    "parameters": "parameters",
    "macs": "MACs",
    "latency_ms": "latency ms",
    "agreement": "agreement with teacher %",
    "train_seconds": "training s",
    "left_out": "not counted",
    "reason": "reason",
}


def _metric_names(*shown: Shown) -> tuple[str, ...]:
    return tuple(name for name, field in METRIC_FIELDS.items() if field.metric.shown in shown)


MAIN_METRICS = _metric_names(Shown.ALWAYS)
UNEQUAL_CLASS_NUMBERS = _metric_names(Shown.UNEQUAL_CLASSES, Shown.TWO_UNEQUAL_CLASSES)
OPTIONAL_NUMBERS = _metric_names(Shown.IF_ROOM)
SHORT_NUMBERS = (*MAIN_METRICS, *(name for name in OTHER_HEADS if name not in GAIN_HEADS))
_LAST = ("train_seconds", "left_out", "reason")
ALL_NUMBERS = (
    *MAIN_METRICS,
    *UNEQUAL_CLASS_NUMBERS,
    *(name for name in OTHER_HEADS if name not in _LAST),
    *OPTIONAL_NUMBERS,
    *_LAST,
)
DEVIATIONS = {"val_accuracy": "val_std", "test_accuracy": "test_std"}  # columns over seeds, shown as ±
HIGHER_IS_BETTER = {
    *GAIN_HEADS,
    "agreement",
    "n",
    *(name for name, field in METRIC_FIELDS.items() if field.metric.direction == "max"),
}
# The first to be dropped on a narrow terminal; knobs follow, from the last of the space to the first.
DROPPED_FIRST = (
    *OPTIONAL_NUMBERS,
    *(
        "train_seconds",
        "macs",
        "latency_ms",
        "parameters",
        "epochs",
        "agreement",
        "reason",
        "left_out",
        *GAIN_HEADS,
        "n",
    ),
)


def shown_numbers(experiment: Experiment) -> list[str]:
    """Return the number columns of an experiment's leaderboard.

    F1 and AUC are shown if accuracy alone can mislead. Metrics that no row has are left out, and so are reasons
    if nothing failed, and gains without a baseline or plain distillation.
    """
    shown = {*SHORT_NUMBERS, *unequal_class_numbers([experiment]), *measured_numbers(experiment)}
    if (experiment.students["stage"] == "baseline").any():
        shown |= {"gain"}
    if plain_differences(experiment):
        shown |= {"over_plain"}
    if experiment.students["reason"].isna().all():
        shown -= {"reason"}
    return [name for name in ALL_NUMBERS if name in shown]


def measured_numbers(experiment: Experiment) -> list[str]:
    """Return the optional metrics of an experiment.

    Rows of earlier versions lack some.
    """
    return [name for name in OPTIONAL_NUMBERS if experiment.students[name].notna().any()]


def unequal_class_numbers(runs: Sequence[Experiment]) -> list[str]:
    """Return the F1 and AUC columns of experiments with unequal classes."""
    shown: set[str] = set()
    for run in runs:
        if run.has_unequal_classes:
            shown.update(_metric_names(Shown.UNEQUAL_CLASSES))
            if len(class_names(run)) == 2:
                shown.update(_metric_names(Shown.TWO_UNEQUAL_CLASSES))
    return [name for name in UNEQUAL_CLASS_NUMBERS if name in shown]


def class_names(experiment: Experiment) -> Sequence[str]:
    """Return the names of the classes, empty if not recorded."""
    return experiment.environment.get("data", {}).get("classes", ())


def metric_notes(experiment: Experiment, numbers: Sequence[str]) -> list[str]:
    """Return explanations of the less common metrics."""
    classes = class_names(experiment)
    metrics = {METRIC_FIELDS[name].metric.name: METRIC_FIELDS[name].metric for name in numbers if name in METRIC_FIELDS}
    notes = {name: metric.description for name, metric in metrics.items() if metric.shown is not Shown.ALWAYS}
    if len(classes) == 2 and "auc" in notes:
        notes["auc"] = f"{notes['auc'].rstrip('.')}, of class {classes[1]} against {classes[0]}."
    elif "auc" in notes:
        notes["auc"] = f"{notes['auc'].rstrip('.')}, the mean over the classes, each against the rest."
    if "f1" in notes:
        notes["f1"] = f"F1 is that of class {classes[1]}."
    return [" ".join(notes.values())] if notes else []


def comparison_notes(lines: pandas.DataFrame) -> list[str]:
    """Return explanations of tie marks and gains, if there are any."""
    notes = []
    if lines["tied"].notna().any():
        notes.append("`=`: the highest test accuracy and those not detectably below it, the student alone included.")
    if lines["gain_low"].notna().any():
        notes.append(
            "Gain: points over the student alone with the same seeds and a 95 % interval that allows for the choice of "
            "the best by validation."
        )
    if lines["over_plain"].notna().any():
        notes.append(
            "Gain over plain distillation: points over the best setting of `hinton` by validation, with the same "
            "seeds; the 95 % intervals hold for all of its rivals together (Bonferroni)."
        )
    return notes


def number_head(name: str) -> str:
    """Return the head of a number column, with its unit."""
    if name in METRIC_FIELDS:
        return METRIC_FIELDS[name].head
    if name in OTHER_HEADS:
        return OTHER_HEADS[name]
    words = name.removeprefix(DIAGNOSIS_PREFIX).replace("_", " ")
    return f"{words} bits" if words.endswith("entropy") else f"{words} %"


def number_text(line: pandas.Series, name: str) -> str:
    """Return one number of a leaderboard line in its unit."""
    if name in GAIN_HEADS:
        return _gain_text(line, name)
    deviation = line[DEVIATIONS[name]] if name in DEVIATIONS else float("nan")
    is_tied = name == "test_accuracy" and "tied" in line and not pandas.isna(line["tied"]) and line["tied"]
    mark = "= " * bool(is_tied)
    return mark + format_number(name, line[name], deviation)


def _gain_text(line: pandas.Series, name: str) -> str:
    """Return `+1.04 (+0.54 to +1.55)` in points, without an interval for one seed."""
    if pandas.isna(line[name]):
        return "–"
    mean, low, high = (wording.format_points(line[name + end]) for end in GAIN_PARTS)
    return mean if pandas.isna(line[f"{name}_low"]) else f"{mean} ({low} to {high})"


def format_number(name: str, value: float | str, deviation: float = float("nan")) -> str:
    """Return a number in its unit, a dash without one."""
    if pandas.isna(value):
        return "–"
    if isinstance(value, str):
        return value
    if name in METRIC_FIELDS:
        return _format_metric(METRIC_FIELDS[name], value, deviation)
    if name in INTEGER_NUMBERS:
        return f"{int(value):,}"
    digits = {"train_seconds": ".1f", "latency_ms": ".3g"}
    if name in digits or name.endswith("entropy"):
        return f"{value:{digits.get(name, '.2f')}}"
    return wording.format_percent(value)


def _format_metric(field: MetricField, value: float, deviation: float) -> str:
    return wording.format_percent(value, deviation) if field.metric.unit == "fraction" else f"{value:.4f}"
