"""Networks with several subclasses per class.

After Müller, Kornblith & Hinton (2020).

Decision: "Subclasses are pooled inside the network" (docs/decisions.md).
"""

from __future__ import annotations

from torch import Tensor, nn

from trainables.subclasses import pool_subclasses


class SubclassPooling(nn.Module):
    """Pool a network's subclass logits into class logits by logsumexp."""

    extra_outputs = ("subclasses",)  # logits before pooling [batch, subclasses], always observed

    def __init__(self, network: nn.Module, counts: list[int]) -> None:
        super().__init__()
        if hasattr(network, "extra_outputs"):
            raise ValueError("subclasses: not possible in a network of several students; expected 1")
        self.subclasses, self.counts = network, counts

    def forward(self, images: Tensor) -> Tensor:
        """Class logits [batch, classes]."""
        return pool_subclasses(self.subclasses(images), self.counts)


def subclass_counts(subclasses: int | list[int], classes: int) -> list[int]:
    """Return the number of subclasses of each class.

    Raises ValueError for a list of the wrong length.
    """
    if isinstance(subclasses, int):
        return [subclasses] * classes
    if len(subclasses) != classes:
        raise ValueError(f"subclasses: found {len(subclasses)} numbers, expected one for each of {classes} classes")
    return subclasses
