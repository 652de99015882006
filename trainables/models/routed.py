"""Several students and a selector network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from trainables.knobs import Count
from trainables.models.nested_network import NestedNetwork, ParallelNetworks, nested_network
from trainables.models.weight_init import glorot_init


def routed_network(
    shape: tuple[int, int, int],
    classes: int,
    *,
    students: Annotated[list[NestedNetwork], Field(min_length=1)],
    width: Count = 8,
) -> nn.Module:
    """Several students and a selector of one of them per image.

    After a student project on CIFAR-10 (2020). The output is that of the student with the largest selector logit. The
    selector gets no gradient from the logits: it needs a method with a selector term, such as `routed`. Hint layers:
    `students`, `selector`, and those of each student after its number, as in `students.0`.

    Args:
        students: Networks of the students.
        width: Channels of the selector's first convolution; 32 in the project, on images of 224 by 224 pixels.
    """
    networks = (nested_network(student, shape, classes) for student in students)
    return RoutedStudents(networks, selector_network(shape, len(students), width))


def selector_network(shape: tuple[int, int, int], students: int, width: int) -> nn.Module:
    """Build the project's best selector: three blocks, one logit per student."""
    channels, height, across = (shape[0], *(side // 8 for side in shape[1:]))
    if min(height, across) < 1:
        raise ValueError("a selector needs at least 8 pixels both ways")
    model = nn.Sequential(
        *_selector_block(channels, width, 2 * width),
        *_selector_block(2 * width, 4 * width, 4 * width),
        nn.Dropout2d(0.05),
        *_selector_block(4 * width, 8 * width, 6),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(6 * height * across, students),
    )
    return glorot_init(model)


def _selector_block(channels: int, middle: int, out: int) -> Iterable[nn.Module]:
    first, second = nn.Conv2d(channels, middle, 3, padding=1), nn.Conv2d(middle, out, 3, padding=1)
    return first, nn.BatchNorm2d(middle), nn.ReLU(), second, nn.ReLU(), nn.MaxPool2d(2)


class RoutedStudents(nn.Module):
    """Students and their selector."""

    extra_outputs = ("students", "selector")  # layers observed beside the logits

    def __init__(self, students: Iterable[nn.Module], selector: nn.Module) -> None:
        super().__init__()
        self.students = ParallelNetworks(students)
        self.selector = selector

    def forward(self, images: Tensor) -> Tensor:
        """Logits [batch, classes] of the selected student of each image."""
        logits, selected = self.students(images), self.selector(images).argmax(1)
        # not take_along_dim: its ONNX export is fixed to one batch size (torch 2.13)
        return logits.gather(1, selected[:, None, None].expand(-1, 1, logits.shape[2])).squeeze(1)
