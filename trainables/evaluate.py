"""What a trained network is worth: accuracy, loss, F1 and AUC for classes of unequal size, agreement with its teacher.

The formulas are scikit-learn's, which the tests compare with; importing it would cost every worker a second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainables.output import Output, observe, prepare

BATCH = 1000  # images; large enough for full speed, small enough for any cache
PIXELS = BATCH * 64 * 64  # as many of larger images: a thousand of 224 by 224 take a deep network tens of GB
UNEVEN = ("macro_f1", "auc", "f1")  # the scores that classes of unequal size ask for


class Scores(NamedTuple):
    """Fraction of images classified rightly, mean cross-entropy in nats, and what classes of unequal size ask for.

    `macro_f1` is the mean of the F1 of each class; `auc` the area under the ROC curve from probabilities, of several
    classes the mean of each against the rest, None where there is only one; `f1` that of the second of two classes.
    """

    accuracy: float
    loss: float
    macro_f1: float
    auc: float | None
    f1: float | None


def predict(model: nn.Module, images: Tensor) -> Tensor:
    """Logits [n, classes] in float32 of uint8 images [n, channels, height, width], dropout off."""
    return respond(model, images).logits


@torch.no_grad()
def respond(model: nn.Module, images: Tensor, layers: Sequence[str] = ()) -> Output:
    """All that a model says of uint8 images [n, channels, height, width], in float32, dropout off."""
    training = model.training
    model.eval()
    parts = images.split(at_once(model, images.shape))
    batches = [observe(model, prepare(batch), layers) for batch in parts]
    model.train(training)
    features = {name: torch.cat([batch.features[name].float() for batch in batches]) for name in batches[0].features}
    return Output(torch.cat([batch.logits.float() for batch in batches]), features)


def at_once(model: nn.Module, shape: Sequence[int]) -> int:
    """How many images [..., height, width] a network answers at once: fewer where it, or a part of it, sees large ones.

    Every size up to 64 by 64 pixels gives the same number, on which the last bits of what was measured depend.
    """
    sides = [vars(each).get("resized_to", 0) for each in model.modules()]
    return max(1, min(BATCH, PIXELS // max(math.prod(shape[-2:]), max(sides) ** 2)))


def score(logits: Tensor, labels: Tensor) -> Scores:
    """All scores of logits [n, classes] against labels [n]."""
    named, loss = logits.argmax(-1), cross_entropy(logits, labels).item()
    each = _f1(named, labels, logits.shape[-1])
    positive = each[1].nan_to_num(0.0).item() if len(each) == 2 else None
    return Scores(accuracy(logits, labels), loss, each.nanmean().item(), auc(logits, labels), positive)


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Fraction of images whose largest logit [n, classes] is that of their label [n]."""
    return (logits.argmax(-1) == labels).double().mean().item()


def auc(logits: Tensor, labels: Tensor) -> float | None:
    """Probability that an image of a class has a higher probability of it than one that is not, ties counting half.

    It is the area under the ROC curve (Hanley and McNeil 1982): of two classes that of the second, of several the mean
    over those that occur. None where not both kinds of images occur, or a logit is not a number.
    """
    probabilities, classes = logits.double().softmax(-1), logits.shape[-1]
    if probabilities.isnan().any():
        return None
    own = {label: labels == label for label in ([1] if classes == 2 else range(classes))}
    areas = [_area(probabilities[:, label], each) for label, each in own.items() if each.any() and not each.all()]
    return torch.stack(areas).mean().item() if areas else None


def _area(scores: Tensor, own: Tensor) -> Tensor:
    """The share of pairs of an image of a class and another one in which the first has the higher score."""
    mine, others = scores[own], scores[~own].sort().values
    won = torch.searchsorted(others, mine) + torch.searchsorted(others, mine, right=True)  # a tie counts half
    return won.sum().double() / (2 * len(mine) * len(others))


def _f1(named: Tensor, labels: Tensor, classes: int) -> Tensor:
    """2 TP / (2 TP + FP + FN) of each class, [classes]; NaN for one that neither occurs nor is named."""
    right = torch.bincount(labels[named == labels], minlength=classes)
    both = torch.bincount(named, minlength=classes) + torch.bincount(labels, minlength=classes)
    return 2 * right.double() / both


def agreement(logits: Tensor, others: Tensor) -> float:
    """Fraction of images on which two networks name the same class, from their logits [n, classes]."""
    return (logits.argmax(-1) == others.argmax(-1)).double().mean().item()
