"""Subclass logits [..., subclasses of all classes], class after class, after Müller, Kornblith & Hinton (2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def pool(logits: Tensor, counts: Sequence[int]) -> Tensor:
    """Class logits [..., classes]: the logsumexp of each class's subclasses, of which there are `counts` (eq. 1).

    A class of one subclass keeps its logit. ValueError where the counts do not add up to the logits.
    """
    if logits.shape[-1] != sum(counts):
        raise ValueError(f"found {logits.shape[-1]} subclass logits, expected {sum(counts)} for the counts {[*counts]}")
    return torch.stack([each.logsumexp(-1) for each in logits.split([*counts], dim=-1)], dim=-1)


def prediction_entropy(logits: Tensor) -> float:
    """Mean over examples of the entropy of softmax(logits), in bits; logits [n, subclasses of all classes].

    Near 0 where the network is sure of one subclass of each image ("average prediction entropy" of Müller et al. 2020).
    """
    return _bits(logits.double().log_softmax(-1)).mean().item()


def utilisation_entropy(logits: Tensor) -> float:
    """Entropy of the mean over examples of softmax(logits), in bits; logits [n, subclasses of all classes].

    It is log2 of the number of subclasses where all are used alike, and never below the prediction entropy ("subclass
    utilisation entropy" of Müller et al. 2020: 3.19 of at most 3.32 bits with their auxiliary loss).
    """
    mean = logits.double().log_softmax(-1).logsumexp(0) - math.log(len(logits))
    return _bits(mean).item()


def _bits(log_probabilities: Tensor) -> Tensor:
    """Entropies [...] in bits of natural logarithms of probabilities [..., n], which must be finite."""
    return -(log_probabilities.exp() * log_probabilities).sum(-1) / math.log(2)
