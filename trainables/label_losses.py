"""Losses on labels by name: the values of `train.loss`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.data.dataset import UNLABELED

LabelLoss = Callable[[Tensor, Tensor], Tensor]  # of logits [batch, classes] and labels [batch], to losses [batch]


def label_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of each example, [batch]."""
    return cross_entropy(logits, labels, reduction="none")


def squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the squared error of each example's probabilities, [batch].

    Summed over the classes: the Brier score, of which the expected class probabilities are the minimum (Hamidi et al.
    2024). An unlabeled example has the loss 0.
    """
    classes = torch.arange(logits.shape[-1], device=logits.device)
    targets = (labels[:, None] == classes).to(logits.dtype)  # one_hot has no batching rule
    return (logits.softmax(-1) - targets).square().sum(-1) * (labels != UNLABELED)


DEFAULT_LOSS = "cross_entropy"
LABEL_LOSSES: dict[str, LabelLoss] = {"cross_entropy": label_cross_entropy, "mse": squared_error}
