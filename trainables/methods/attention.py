"""Attention transfer: where a layer is active, not how, after Zagoruyko & Komodakis (2017), section 3.1."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, normalize

from trainables.knobs import Amount, Fraction, StudentLayer, TeacherLayer
from trainables.methods.terms import exact
from trainables.output import Output


def attention(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: Fraction,
    guided: StudentLayer,
    hint: TeacherLayer,
    beta: Amount = 1000.0,
) -> Tensor:
    """Loss per example [batch] from activations [batch, channels, height, width], or [batch, units], of two layers.

    alpha · beta · mean((map(hint) − map(guided))²) + (1 − alpha) · CE(student, labels), a map being the mean square
    over the channels at each position, scaled to unit length

    Eq. 2 of Zagoruyko & Komodakis 2017 with p = 2, in the form of their code, whose beta is the default: squared, and
    the mean over positions. The larger map is averaged down to the smaller. ValueError where a grid meets a vector, or
    vectors differ in length.
    """
    told, taught = _alike(_map(student.features[guided]), _map(teacher.features[hint]).detach())
    missed = normalize(told.flatten(1), dim=-1) - normalize(taught.flatten(1), dim=-1)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * beta * missed.square().mean(-1) + (1 - alpha) * hard


def _map(activations: Tensor) -> Tensor:
    """Mean squares [batch, height, width] over the channels; a vector's units are its positions."""
    squares = exact(activations).square()
    return squares.mean(1) if squares.ndim > 2 else squares


def _alike(some: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Two maps on the coarser of their grids."""
    if some.shape == others.shape:
        return some, others
    if some.ndim != 3 or others.ndim != 3:
        found = " and ".join(str([*each.shape[1:]]) for each in (some, others))
        raise ValueError(f"method attention: found positions {found}, expected two grids, or two vectors as long")
    grid = (min(some.shape[1], others.shape[1]), min(some.shape[2], others.shape[2]))
    return adaptive_avg_pool2d(some, grid), adaptive_avg_pool2d(others, grid)
