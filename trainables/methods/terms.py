"""Terms shared by several losses."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from trainables.output import Output

VARIANCE_FLOOR = 1e-9  # so that equal logits have a gradient
STANDARDIZE_CLAUSE = "logits have zero mean and unit variance if standardize"  # of a formula


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


def logit_pair(student: Output, teacher: Output, standardize: bool) -> tuple[Tensor, Tensor]:
    """Logits of student and teacher, standardized on request.

    Both are [batch, classes]. No gradient reaches the teacher.
    """
    logits = student.logits, teacher.logits.detach()
    return (standardize_logits(logits[0]), standardize_logits(logits[1])) if standardize else logits


def split_target(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Split logits [batch, classes] into true class and other classes.

    Returns [batch, 1] and [batch, classes − 1].
    """
    classes = logits.shape[-1]
    from_label = (labels[:, None] + torch.arange(classes, device=labels.device)) % classes
    target, rest = logits.gather(-1, from_label).split([1, classes - 1], dim=-1)
    return target, rest


def target_against_others(target: Tensor, rest: Tensor) -> Tensor:
    """Logits [batch, 2] of the true class and of any other."""
    return torch.cat([target, rest.logsumexp(-1, keepdim=True)], dim=-1)


def at_least_float32(activations: Tensor) -> Tensor:
    """Activations in float32 or float64; autocast makes them bfloat16."""
    return activations.to(torch.promote_types(activations.dtype, torch.float32))
