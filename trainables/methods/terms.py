"""Terms shared by several losses."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

VARIANCE_FLOOR = 1e-9  # so that equal logits have a gradient


def kl_divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(softmax(teacher) ‖ softmax(student)) in nats.

    From logits [..., classes] to divergences [...]. No gradient reaches the teacher.
    """
    targets = log_softmax(teacher.detach(), dim=-1)
    # torch's kl_div has equal values, but runs as a loop under vmap
    return (targets.exp() * (targets - log_softmax(student, dim=-1))).sum(-1)


def standardize_logits(logits: Tensor) -> Tensor:
    """Logits [..., classes] with zero mean and unit variance per example."""
    centered = logits - logits.mean(-1, keepdim=True)
    return centered * (centered.square().mean(-1, keepdim=True) + VARIANCE_FLOOR).rsqrt()


def at_least_float32(activations: Tensor) -> Tensor:
    """Activations in float32 or float64; autocast makes them bfloat16."""
    return activations.to(torch.promote_types(activations.dtype, torch.float32))
