"""Several networks of one architecture as one student, as in a student project of about 2018 (a ConvNet ensemble)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from trainables.knobs import Count
from trainables.models.part import Network, network


def ensemble(shape: tuple[int, int, int], classes: int, *, members: Count, of: Network) -> nn.Module:
    """Networks that differ in their initial weights alone; their mean probabilities are the ensemble's answer.

    The hint layers of the first are `members.0.relu1` and so on.
    """
    return Ensemble(network(of, shape, classes) for _ in range(members))


class Ensemble(nn.Module):
    """Networks with the same classes, trained as one."""

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, classes]: the logarithm of the mean of the members' probabilities."""
        each = torch.stack([member(images) for member in self.members], 1).float()
        return each.log_softmax(-1).logsumexp(1) - math.log(len(self.members))
