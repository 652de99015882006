"""Several students and a small network that says which one to ask, after a student project on CIFAR-10 (2020)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from trainables.knobs import Count
from trainables.models.init import glorot
from trainables.models.part import Network, SideBySide, network


def routed(
    shape: tuple[int, int, int],
    classes: int,
    *,
    students: Annotated[list[Network], Field(min_length=1)],
    width: Count = 8,
) -> nn.Module:
    """Students of any kind and a selector; an image gets the answer of the student that the selector trusts most.

    `width` is that of the selector's first convolution (32 in the project, on images of 224 by 224 pixels). No gradient
    of the logits reaches the selector: it learns only from a method that asks for its answers. Hint layers: `students`,
    `selector`, and those of each student behind its place, as `students.0` is the first's.
    """
    return Routed((network(each, shape, classes) for each in students), selector(shape, len(students), width))


def selector(shape: tuple[int, int, int], students: int, width: int) -> nn.Module:
    """The project's best selector, three blocks with batch norm, with one logit per student: how far to trust it."""
    channels, height, across = (shape[0], *(side // 8 for side in shape[1:]))
    if min(height, across) < 1:
        raise ValueError("a selector needs at least 8 pixels both ways")
    model = nn.Sequential(
        *_block(channels, width, 2 * width),
        *_block(2 * width, 4 * width, 4 * width),
        nn.Dropout2d(0.05),
        *_block(4 * width, 8 * width, 6),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(6 * height * across, students),
    )
    return glorot(model)


def _block(channels: int, middle: int, out: int) -> Iterable[nn.Module]:
    first, second = nn.Conv2d(channels, middle, 3, padding=1), nn.Conv2d(middle, out, 3, padding=1)
    return first, nn.BatchNorm2d(middle), nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2)


class Routed(nn.Module):
    """Students and their selector; `answers` are the layers that are of interest besides the logits."""

    answers = ("students", "selector")

    def __init__(self, students: Iterable[nn.Module], selector: nn.Module) -> None:
        super().__init__()
        self.students = SideBySide(students)
        self.selector = selector

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, classes] of each image's most trusted student."""
        answers, chosen = self.students(images), self.selector(images).argmax(1)
        # Not take_along_dim: exported to ONNX it holds for one size of batch only (torch 2.13).
        return answers.gather(1, chosen[:, None, None].expand(-1, 1, answers.shape[2])).squeeze(1)
