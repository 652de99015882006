"""Metrics of a classifier, in one table.

Row fields, columns, curves and search objectives are derived from it.

To add a metric, write a function of logits [n, classes] and labels [n], and a record in METRICS. The row fields of a
metric are its name after the split, such as `val_loss` and `test_loss`. This package imports no torch: the functions
call methods of the tensors that they get.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from importlib import import_module
from typing import Any, Literal, NamedTuple, get_args

Tensor = Any  # torch.Tensor
Split = Literal["val", "test"]

ECE_BINS = 15
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


def negative_log_likelihood(logits: Tensor, labels: Tensor) -> float:
    """Return the mean cross-entropy in nats."""
    # torch's own kernel, because the order of its sum decides the last bits
    return import_module("torch.nn.functional").cross_entropy(logits, labels).item()


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the fraction of correct classifications."""
    return (logits.argmax(-1) == labels).double().mean().item()


def macro_f1(logits: Tensor, labels: Tensor) -> float:
    """Return the mean F1 over the classes.

    Classes that neither occur nor are predicted are left out.
    """
    return _f1_per_class(logits, labels).nanmean().item()


def positive_f1(logits: Tensor, labels: Tensor) -> float | None:
    """Return the F1 of the second class of two, else None."""
    scores = _f1_per_class(logits, labels)
    return scores[1].nan_to_num(0.0).item() if len(scores) == 2 else None


def _f1_per_class(logits: Tensor, labels: Tensor) -> Tensor:
    """Return 2 TP / (2 TP + FP + FN) of each class.

    The result is [classes], NaN for an absent class.
    """
    predicted, classes = logits.argmax(-1), logits.shape[-1]
    correct = labels[predicted == labels].bincount(minlength=classes)
    return 2 * correct.double() / (predicted.bincount(minlength=classes) + labels.bincount(minlength=classes))


def roc_auc(logits: Tensor, labels: Tensor) -> float | None:
    """Return the area under the ROC curve (Hanley and McNeil 1982).

    Of two classes it is that of the second. Of more, it is the mean over the classes that occur, each against the rest.
    None if no class can be compared, or if a logit is not a number.
    """
    probabilities, classes = logits.double().softmax(-1), logits.shape[-1]
    if probabilities.isnan().any():
        return None
    members = {index: labels == index for index in ([1] if classes == 2 else range(classes))}
    areas = [
        _roc_area(probabilities[:, index], inside).item()
        for index, inside in members.items()
        if inside.any() and not inside.all()
    ]
    return probabilities.new_tensor(areas).mean().item() if areas else None


def _roc_area(scores: Tensor, inside: Tensor) -> Tensor:
    """Return the fraction of pairs with the higher score inside the class.

    A tie counts half.
    """
    levels, level = scores.unique(sorted=True, return_inverse=True)
    outside = level[~inside].bincount(minlength=len(levels))
    at_most = outside.cumsum(0)
    wins = (2 * at_most - outside)[level[inside]].sum()  # pairs below, and those below or equal: a tie counts half
    return wins.double() / (2 * inside.sum() * (~inside).sum())


def expected_calibration_error(logits: Tensor, labels: Tensor) -> float:
    """Return the expected calibration error (Guo et al. 2017, section 2).

    It is the mean distance of accuracy and confidence over 15 bins of equal width, weighted by their images.
    The confidence is the probability of the predicted class. A bin holds its upper end.
    """
    confidence, predicted = logits.double().softmax(-1).max(-1)
    gap = (predicted == labels).double() - confidence
    bin_index = (confidence[:, None] > gap.new_tensor([index / ECE_BINS for index in range(1, ECE_BINS)])).sum(-1)
    in_bin = bin_index[:, None] == gap.new_tensor(range(ECE_BINS))
    return ((in_bin * gap[:, None]).sum(0).abs().sum() / len(labels)).item()


def brier_score(logits: Tensor, labels: Tensor) -> float:
    """Return the Brier score, between 0 and 2 (Brier 1950).

    It is the mean squared distance of the probabilities and the one-hot label, summed over the classes.
    """
    probabilities = logits.double().softmax(-1)
    of_label = probabilities.gather(-1, labels[:, None]).squeeze(-1)
    return (probabilities.square().sum(-1) - 2 * of_label + 1).mean().item()


def agreement(logits: Tensor, teacher_logits: Tensor) -> float:
    """Return the fraction of images with the same predicted class."""
    return (logits.argmax(-1) == teacher_logits.argmax(-1)).double().mean().item()


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
