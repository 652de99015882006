"""Subclass logits, after Müller, Kornblith & Hinton (2020).

Shape [..., subclasses of all classes], class after class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def pool_subclasses(logits: Tensor, counts: Sequence[int]) -> Tensor:
    """Return class logits, the logsumexp over each class's subclasses (eq. 1).

    `counts` are the numbers of subclasses. A class of one subclass keeps its logit. Raises ValueError if the counts do
    not add up to the number of logits.
    """
    if logits.shape[-1] != sum(counts):
        raise ValueError(f"found {logits.shape[-1]} subclass logits, expected {sum(counts)} for the counts {[*counts]}")
    return torch.stack([part.logsumexp(-1) for part in logits.split([*counts], dim=-1)], dim=-1)


def prediction_entropy(logits: Tensor) -> float:
    """Return the mean entropy of softmax(logits) in bits.

    `logits` are [n, subclasses of all classes]. It is near 0 if the network is sure of one subclass per image ("average
    prediction entropy" of Müller et al. 2020).
    """
    return _entropy_bits(logits.double().log_softmax(-1)).mean().item()


def utilization_entropy(logits: Tensor) -> float:
    """Return the entropy of the mean softmax(logits) in bits.

    `logits` are [n, subclasses of all classes]. It is log2 of the number of subclasses if all are used equally, and
    never below the prediction entropy ("subclass utilisation entropy" of Müller et al. 2020: 3.19 of at most 3.32 bits
    with their auxiliary loss).
    """
    mean = logits.double().log_softmax(-1).logsumexp(0) - math.log(len(logits))
    return _entropy_bits(mean).item()


def _entropy_bits(log_probabilities: Tensor) -> Tensor:
    """Return entropies [...] in bits from finite log-probabilities [..., n]."""
    return -(log_probabilities.exp() * log_probabilities).sum(-1) / math.log(2)
