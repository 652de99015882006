"""Relational distillation: how examples lie to each other, after Park et al. (2019), section 3.2."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, smooth_l1_loss

from trainables.knobs import Amount, Fraction, StudentLayer, TeacherLayer
from trainables.methods.terms import exact
from trainables.output import Output

NEAR = 1e-4  # of the mean distance; below it, float32 cannot tell a direction
VERTICES = 8  # at a time: their cosines fit a processor's cache


def relational(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: Fraction,
    guided: StudentLayer,
    hint: TeacherLayer,
    distance_weight: Amount = 25.0,
    angle_weight: Amount = 50.0,
) -> Tensor:
    """Loss per example [batch] from activations [batch, ...] of two layers, of any shapes.

    alpha · (distance_weight · H(distances) + angle_weight · H(angles)) + (1 − alpha) · CE(student, labels), H the
    Huber loss between hint and guided

    Distances are in units of the batch's mean; an angle is the cosine at one example between two others (Park
    et al. 2019). Both are averaged over all pairs and triplets as in their code, whose weights are the defaults; an
    example has the mean over its own pairs, and over the triplets with their vertex in it. Memory and time grow with
    the cube of the batch.
    """
    told, taught = _distances(student.features[guided]), _distances(teacher.features[hint].detach())
    distances = smooth_l1_loss(told, taught, reduction="none").mean(-1)
    angles = _angles(told, taught)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * (distance_weight * distances + angle_weight * angles) + (1 - alpha) * hard


def _distances(activations: Tensor) -> Tensor:
    """Euclidean distances [batch, batch] between examples, in units of the mean over pairs of different ones."""
    points = exact(activations).flatten(1)
    # the faster way through a matrix product loses what is small beside the points' distance from the origin
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    pairs = max(1, len(points) * (len(points) - 1))
    return distances / (distances.sum() / pairs).clamp_min(1e-12)


def _angles(told: Tensor, taught: Tensor) -> Tensor:
    """Huber loss [batch] between cosines from distances [batch, batch]: the mean over the triplets of each vertex."""
    steps = zip(_cosines(told), _cosines(taught), strict=True)
    return torch.cat([smooth_l1_loss(*pair, reduction="none").mean((1, 2)) for pair in steps])


def _cosines(distances: Tensor) -> Iterator[Tensor]:
    """Cosines [vertices, batch, batch] between each two examples as seen from some, by the law of cosines.

    An example has no direction from itself or from one that is as good as equal: the cosine is 0 there.
    """
    apart = distances > NEAR
    closeness = torch.where(apart, 0.5**0.5 / torch.where(apart, distances, 1), 0)
    squares = distances.square()
    for own, near in zip(squares.split(VERTICES), closeness.split(VERTICES), strict=True):
        yield (own[:, :, None] + own[:, None] - squares) * near[:, :, None] * near[:, None]
