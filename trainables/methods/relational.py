"""Relational distillation by distances and angles."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, smooth_l1_loss

from trainables.declare import declare
from trainables.knobs import Amount, StudentLayer, TeacherLayer, TeacherWeight
from trainables.methods.terms import at_least_float32
from trainables.output import Output

SMALLEST_DISTANCE = 1e-4  # in units of the mean distance; below it, float32 has no accurate direction
VERTICES_PER_STEP = 8  # their cosines fit a processor's cache


@declare(
    formula="alpha · (distance_weight · H(distances) + angle_weight · H(angles)) + (1 − alpha) · CE(student, labels), "
    "H the Huber loss between hint and guided",
    paper="Park et al. (2019), section 3.2",
)
def relational(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    guided: StudentLayer,
    hint: TeacherLayer,
    distance_weight: Amount = 25.0,
    angle_weight: Amount = 50.0,
) -> Tensor:
    """Relational distillation: match distances and angles between examples.

    Takes activations [batch, ...] of two layers, of any shapes. Distances are in units of the batch's mean; an angle is
    the cosine at one example between two others. Both are averaged over all pairs and triplets as in the paper's code.
    An example has the mean over its own pairs, and over the triplets with their vertex in it. Memory and time grow with
    the cube of the batch.

    Args:
        alpha: Weight of the teacher's term.
        guided: Student layer.
        hint: Teacher layer.
        distance_weight: Weight of the distance loss; the default is that of the paper's code.
        angle_weight: Weight of the angle loss; the default is that of the paper's code.
    """
    student_distances = _pairwise_distances(student.features[guided])
    teacher_distances = _pairwise_distances(teacher.features[hint].detach())
    distances = smooth_l1_loss(student_distances, teacher_distances, reduction="none").mean(-1)
    angles = _angle_losses(student_distances, teacher_distances)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * (distance_weight * distances + angle_weight * angles) + (1 - alpha) * hard


def _pairwise_distances(activations: Tensor) -> Tensor:
    """Euclidean distances [batch, batch], in units of their mean.

    The mean is taken over pairs of different examples.
    """
    points = at_least_float32(activations).flatten(1)
    # the faster way by a matrix product loses distances much smaller than the distance to the origin
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    pairs = max(1, len(points) * (len(points) - 1))
    return distances / (distances.sum() / pairs).clamp_min(1e-12)


def _angle_losses(student_distances: Tensor, teacher_distances: Tensor) -> Tensor:
    """Huber losses [batch] between cosines, averaged per vertex."""
    steps = zip(_angle_cosines(student_distances), _angle_cosines(teacher_distances), strict=True)
    return torch.cat([smooth_l1_loss(*pair, reduction="none").mean((1, 2)) for pair in steps])


def _angle_cosines(distances: Tensor) -> Iterator[Tensor]:
    """Cosines [vertices, batch, batch] by the law of cosines, in steps.

    A cosine is 0 if one of the two examples coincides with the vertex: it has no direction there.
    """
    is_apart = distances > SMALLEST_DISTANCE
    closeness = torch.where(is_apart, 0.5**0.5 / torch.where(is_apart, distances, 1), 0)
    squares = distances.square()
    for own, near in zip(squares.split(VERTICES_PER_STEP), closeness.split(VERTICES_PER_STEP), strict=True):
        yield (own[:, :, None] + own[:, None] - squares) * near[:, :, None] * near[:, None]
