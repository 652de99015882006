"""Averaged networks of one architecture as one student."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import Tensor, nn

from trainables.knobs import Count
from trainables.models.nested_network import NestedNetwork, ParallelNetworks, nested_network


def ensemble(shape: tuple[int, ...], classes: int, *, members: Count, of: NestedNetwork) -> nn.Module:
    """Networks of one architecture, averaged by their probabilities.

    As in a student project of about 2018 (a ConvNet ensemble). Members differ in their initial weights only. Each
    member has a loss of its own. Under a loss of their mean, a distilled ensemble was worse than one trained on labels
    only, perhaps because that loss pulls most at the member already right; not measured since. Hint layers of the first
    member: `members.0.relu1` and so on.

    Args:
        members: Number of networks.
        of: Network of each member.
    """
    return AveragedEnsemble(nested_network(of, shape, classes) for _ in range(members))


class AveragedEnsemble(nn.Module):
    """Networks with the same classes, averaged."""

    extra_outputs = ("members",)  # layers observed beside the logits

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = ParallelNetworks(members)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, classes]: logarithms of the mean probabilities."""
        logits = self.members(images).float()
        return logits.log_softmax(-1).logsumexp(1) - math.log(len(self.members))
