"""Recorded logits in place of a teacher."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from spaces.disk import existing_file


def recorded(shape: tuple[int, ...], classes: int, *, file: Annotated[str, Field(min_length=1)]) -> nn.Module:
    """Recorded logits in place of a teacher's network.

    Write `teacher: {logits: FILE}`. There are no layers, and no logits for augmented images.

    Args:
        file: Table or arrays of logits, with the names or hashes of the images.
    """
    return RecordedNetwork(str(existing_file(file)), classes)


class RecordedNetwork(nn.Module):
    """Placeholder of a network with recorded logits.

    The logits are read by `trainables.teachers.recorded_logits`. The module itself returns NaN.
    """

    parameter_count = 0

    def __init__(self, file: str, classes: int) -> None:
        super().__init__()
        self.file, self.classes = file, classes

    def forward(self, images: Tensor) -> Tensor:
        """Return NaN [batch, classes]: the network is unknown."""
        return images.new_full((len(images), self.classes), float("nan"))
