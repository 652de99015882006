"""Attention transfer between two layers."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from trainables.declare import declare
from trainables.knobs import Amount, StudentLayer, TeacherLayer, TeacherWeight
from trainables.methods.maps import match_maps
from trainables.methods.terms import at_least_float32
from trainables.output import Output


@declare(
    formula="alpha · beta · mean((map(hint) − map(guided))²) + (1 − alpha) · CE(student, labels), a map being the mean "
    "square over the channels at each position, scaled to unit length",
    paper="Zagoruyko & Komodakis (2017), section 3.1",
)
def attention(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    guided: StudentLayer,
    hint: TeacherLayer,
    beta: Amount = 1000.0,
) -> Tensor:
    """Attention transfer: match the spatial activity of two layers.

    Takes activations [batch, channels, height, width] or [batch, units]. Eq. 2 of the paper with p = 2, in the form of
    its code: squared, and the mean over positions. The larger map is averaged down to the size of the smaller one.

    Args:
        alpha: Weight of the teacher's term.
        guided: Student layer.
        hint: Teacher layer.
        beta: Factor of the attention loss; the default is that of the paper's code.

    Raises:
        ValueError: A grid is compared with a vector, or two vectors differ in length.
    """
    student_map = _attention_map(student.features[guided])
    teacher_map = _attention_map(teacher.features[hint]).detach()
    student_map, teacher_map = _match_attention(student_map, teacher_map)
    difference = normalize(student_map.flatten(1), dim=-1) - normalize(teacher_map.flatten(1), dim=-1)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * beta * difference.square().mean(-1) + (1 - alpha) * hard


def _attention_map(activations: Tensor) -> Tensor:
    """Mean squares [batch, height, width] over channels; a vector keeps its units."""
    squares = at_least_float32(activations).square()
    return squares.mean(1) if squares.ndim > 2 else squares


def _match_attention(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return two maps on one grid, or two vectors of equal length."""
    if first.shape == second.shape:
        return first, second
    if first.ndim != 3 or second.ndim != 3:
        shapes = " and ".join(str([*grid.shape[1:]]) for grid in (first, second))
        raise ValueError(f"method attention: positions {shapes} do not match; expected two grids or equal vectors")
    return match_maps(first, second)
