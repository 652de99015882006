"""Metrics of a classifier, in one table.

Row fields, columns, curves and search objectives are derived from it.

To add a metric, write a function in metric_functions.py and a record in METRICS. The row fields of a metric are its
name after the split, such as `val_loss` and `test_loss`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Literal, NamedTuple, get_args

from spaces.metric_functions import (
    ECE_BINS,
    Tensor,
    accuracy,
    brier_score,
    expected_calibration_error,
    macro_f1,
    negative_log_likelihood,
    positive_f1,
    roc_auc,
)

Split = Literal["val", "test"]

SPLIT_NAMES: dict[Split, str] = {"val": "validation", "test": "test"}


class Shown(Enum):
    """Condition for a metric in Markdown, card, report and terminal.

    Accuracy can mislead if the classes are of unequal size, or if the search is on F1 or AUC.
    """

    ALWAYS = "always"
    UNEQUAL_CLASSES = "if accuracy can mislead"
    TWO_UNEQUAL_CLASSES = "if accuracy can mislead and there are two classes"
    IF_ROOM = "dropped first on a narrow terminal"


class Metric(NamedTuple):
    """One metric of logits and labels.

    `unit` says how tables show it: fractions in percent, losses in nats, other numbers as they are.
    CSV files, TensorBoard, the journal and MLflow have it whatever `shown` is.
    """

    name: str
    head: str
    unit: Literal["fraction", "nats", "plain"]
    direction: Literal["max", "min"]
    compute: Callable[[Tensor, Tensor], float | None]
    description: str
    splits: tuple[Split, ...] = ("val", "test")
    searchable: bool = False
    shown: Shown = Shown.IF_ROOM


class MetricField(NamedTuple):
    """A metric on one split, as a field of a row."""

    split: Split
    metric: Metric

    @property
    def name(self) -> str:
        """Name of the field, such as `val_loss`."""
        return f"{self.split}_{self.metric.name}"

    @property
    def head(self) -> str:
        """Head of the column, such as `validation NLL`."""
        percent = "%" if self.metric.unit == "fraction" else ""
        return " ".join(filter(None, (SPLIT_NAMES[self.split], self.metric.head, percent)))

    @property
    def tag(self) -> str:
        """TensorBoard tag, such as `loss/val`."""
        return f"{self.metric.name}/{self.split}"


METRICS = (
    Metric(
        name="loss",
        head="NLL",
        unit="nats",
        direction="min",
        compute=negative_log_likelihood,
        description="NLL is the negative log-likelihood: the mean cross-entropy, in nats.",
        searchable=True,
    ),
    Metric(
        name="accuracy",
        head="",  # its columns are "test %" and "validation %"
        unit="fraction",
        direction="max",
        compute=accuracy,
        description="Accuracy is the fraction of images classified correctly.",
        searchable=True,
        shown=Shown.ALWAYS,
    ),
    Metric(
        name="macro_f1",
        head="macro F1",
        unit="fraction",
        direction="max",
        compute=macro_f1,
        description="Macro F1 is the mean of F1 over the classes.",
        searchable=True,
        shown=Shown.UNEQUAL_CLASSES,
    ),
    Metric(
        name="auc",
        head="AUC",
        unit="fraction",
        direction="max",
        compute=roc_auc,
        description="AUC is the area under the ROC curve, from probabilities.",
        searchable=True,
        shown=Shown.UNEQUAL_CLASSES,
    ),
    Metric(
        name="f1",
        head="F1",
        unit="fraction",
        direction="max",
        compute=positive_f1,
        description="F1 is that of the second of two classes.",
        splits=("test",),
        shown=Shown.TWO_UNEQUAL_CLASSES,
    ),
    Metric(
        name="ece",
        head="ECE",
        unit="fraction",
        direction="min",
        compute=expected_calibration_error,
        description=f"ECE is the expected calibration error over {ECE_BINS} bins of the predicted class's probability.",
    ),
    Metric(
        name="brier",
        head="Brier",
        unit="plain",
        direction="min",
        compute=brier_score,
        description="Brier is the squared distance of the probabilities and the one-hot label, "
        "summed over the classes.",
        searchable=True,
    ),
)

VAL_FIELDS, TEST_FIELDS = (
    {field.name: field for field in (MetricField(split, metric) for metric in METRICS if split in metric.splits)}
    for split in get_args(Split)
)
METRIC_FIELDS = VAL_FIELDS | TEST_FIELDS
NO_VALIDATION: dict[str, float | None] = dict.fromkeys(VAL_FIELDS)  # metrics of a student without validation images
SEARCH_METRICS = tuple(name for name, field in VAL_FIELDS.items() if field.metric.searchable)


def compute_metrics(logits: Tensor, labels: Tensor, split: Split) -> dict[str, float | None]:
    """Return the row fields of one split.

    Logits are [n, classes], labels [n].
    """
    return {f"{split}_{metric.name}": metric.compute(logits, labels) for metric in METRICS if split in metric.splits}
