"""What a trained network is worth: accuracy, loss, agreement with its teacher."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainables.output import prepare

BATCH = 1000  # images; large enough for full speed, small enough for any cache


class Scores(NamedTuple):
    """Fraction of images classified rightly, and mean cross-entropy in nats."""

    accuracy: float
    loss: float


@torch.no_grad()
def predict(model: nn.Module, images: Tensor) -> Tensor:
    """Logits [n, classes] in float32 of uint8 images [n, channels, height, width], dropout off."""
    training = model.training
    model.eval()
    logits = torch.cat([model(prepare(batch)).float() for batch in images.split(BATCH)])
    model.train(training)
    return logits


def score(logits: Tensor, labels: Tensor) -> Scores:
    """Accuracy and loss of logits [n, classes] against labels [n]."""
    accuracy = (logits.argmax(-1) == labels).double().mean().item()
    return Scores(accuracy, cross_entropy(logits, labels).item())


def agreement(logits: Tensor, others: Tensor) -> float:
    """Fraction of images on which two networks name the same class, from their logits [n, classes]."""
    return (logits.argmax(-1) == others.argmax(-1)).double().mean().item()
