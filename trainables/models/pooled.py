"""Networks that tell subclasses apart inside each class, after Müller, Kornblith & Hinton (2020)."""

from __future__ import annotations

from torch import Tensor, nn

from trainables.subclasses import pool


class Pooled(nn.Module):
    """A network of subclass logits [batch, subclasses] as one of class logits [batch, classes], by logsumexp."""

    answers = ("subclasses",)  # what it is always observed at: its logits before they are pooled

    def __init__(self, network: nn.Module, counts: list[int]) -> None:
        super().__init__()
        if hasattr(network, "answers"):
            raise ValueError("subclasses: not in a network of several students; expected 1")
        self.subclasses, self.counts = network, counts

    def forward(self, images: Tensor) -> Tensor:
        """Class logits [batch, classes]."""
        return pool(self.subclasses(images), self.counts)


def subclass_counts(wanted: int | list[int], classes: int) -> list[int]:
    """How many subclasses each class has; ValueError where a list names another number of classes."""
    if isinstance(wanted, int):
        return [wanted] * classes
    if len(wanted) != classes:
        raise ValueError(f"subclasses: found {len(wanted)} numbers, expected one for each of {classes} classes")
    return wanted
