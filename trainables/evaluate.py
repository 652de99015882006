"""What a trained network is worth: accuracy, loss, agreement with its teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainables.output import Output, observe, prepare

BATCH = 1000  # images; large enough for full speed, small enough for any cache


class Scores(NamedTuple):
    """Fraction of images classified rightly, and mean cross-entropy in nats."""

    accuracy: float
    loss: float


def predict(model: nn.Module, images: Tensor) -> Tensor:
    """Logits [n, classes] in float32 of uint8 images [n, channels, height, width], dropout off."""
    return respond(model, images).logits


@torch.no_grad()
def respond(model: nn.Module, images: Tensor, layers: Sequence[str] = ()) -> Output:
    """All that a model says of uint8 images [n, channels, height, width], in float32, dropout off."""
    training = model.training
    model.eval()
    batches = [observe(model, prepare(batch), layers) for batch in images.split(BATCH)]
    model.train(training)
    features = {name: torch.cat([batch.features[name].float() for batch in batches]) for name in batches[0].features}
    return Output(torch.cat([batch.logits.float() for batch in batches]), features)


def score(logits: Tensor, labels: Tensor) -> Scores:
    """Accuracy and loss of logits [n, classes] against labels [n]."""
    accuracy = (logits.argmax(-1) == labels).double().mean().item()
    return Scores(accuracy, cross_entropy(logits, labels).item())


def agreement(logits: Tensor, others: Tensor) -> float:
    """Fraction of images on which two networks name the same class, from their logits [n, classes]."""
    return (logits.argmax(-1) == others.argmax(-1)).double().mean().item()
