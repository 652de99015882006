"""Metrics of logits [n, classes] and labels [n], as functions.

This package imports no torch: the functions call methods of the tensors that they get.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

Tensor = Any  # torch.Tensor

ECE_BINS = 15


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
