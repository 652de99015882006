"""Several networks of one architecture as one student, as in a student project of about 2018 (a ConvNet ensemble)."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import Tensor, nn

from trainables.knobs import Count
from trainables.models.part import Network, SideBySide, network


def ensemble(shape: tuple[int, int, int], classes: int, *, members: Count, of: Network) -> nn.Module:
    """Networks that differ in their initial weights alone; their mean probabilities are the ensemble's answer.

    Each is taught by itself: under a loss of their mean an ensemble was worse distilled than on labels alone, perhaps
    because that loss pulls most at the member that is right already; not measured since. The hint layers of the first
    are `members.0.relu1` and so on.
    """
    return Ensemble(network(of, shape, classes) for _ in range(members))


class Ensemble(nn.Module):
    """Networks with the same classes, averaged; `answers` names the layer of what each of them says."""

    answers = ("members",)

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = SideBySide(members)

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, classes]: the logarithm of the mean of the members' probabilities."""
        each = self.members(images).float()
        return each.log_softmax(-1).logsumexp(1) - math.log(len(self.members))
