"""Similarity-preserving distillation."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from trainables.declare import declare
from trainables.knobs import Amount, StudentLayer, TeacherLayer, TeacherWeight
from trainables.methods.terms import at_least_float32
from trainables.output import Output


@declare(
    formula="alpha · gamma · mean((G(hint) − G(guided))²) + (1 − alpha) · CE(student, labels), G's rows being an "
    "example's inner products with all of its batch, scaled to unit length",
    paper="Tung & Mori (2019)",
)
def similarity(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    guided: StudentLayer,
    hint: TeacherLayer,
    gamma: Amount = 3000.0,
) -> Tensor:
    """Similarity-preserving distillation: match similarities within a batch.

    Takes activations [batch, ...] of two layers, of any shapes. Eqs. 2 to 4 of the paper: the mean over an example's
    row here, over all rows after the mean of the batch.

    Args:
        alpha: Weight of the teacher's term.
        guided: Student layer.
        hint: Teacher layer.
        gamma: Factor of the similarity loss; the default is the weight in the benchmark of Tian et al. (2020).
    """
    student_rows = _similarity_rows(student.features[guided])
    teacher_rows = _similarity_rows(teacher.features[hint].detach())
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * gamma * (student_rows - teacher_rows).square().mean(-1) + (1 - alpha) * hard


def _similarity_rows(activations: Tensor) -> Tensor:
    """Inner products [batch, batch] of examples, in unit rows."""
    points = at_least_float32(activations).flatten(1)
    return normalize(points @ points.mT, dim=-1)
