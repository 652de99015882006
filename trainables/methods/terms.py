"""What several losses are made of."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

TINY = 1e-9  # added to a variance, so that equal logits have a gradient


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(softmax(teacher) ‖ softmax(student)) in nats [...] of logits [..., classes]; no gradient for the teacher."""
    targets = log_softmax(teacher.detach(), dim=-1)
    # not kl_div, which is the same to the last bit but under vmap a loop
    return (targets.exp() * (targets - log_softmax(student, dim=-1))).sum(-1)


def standard(logits: Tensor) -> Tensor:
    """Logits [..., classes] shifted and scaled to zero mean and unit variance, each example by itself."""
    centred = logits - logits.mean(-1, keepdim=True)
    return centred * (centred.square().mean(-1, keepdim=True) + TINY).rsqrt()


def exact(activations: Tensor) -> Tensor:
    """The same activations in float32 at least; under autocast they come in bfloat16."""
    return activations.to(torch.promote_types(activations.dtype, torch.float32))
