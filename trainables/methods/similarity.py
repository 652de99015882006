"""Similarity-preserving distillation: who is like whom in a batch, after Tung & Mori (2019)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from trainables.knobs import Amount, Fraction, StudentLayer, TeacherLayer
from trainables.methods.terms import exact
from trainables.output import Output


def similarity(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: Fraction,
    guided: StudentLayer,
    hint: TeacherLayer,
    gamma: Amount = 3000.0,
) -> Tensor:
    """Loss per example [batch] from activations [batch, ...] of two layers, of any shapes.

    alpha · gamma · mean((G(hint) − G(guided))²) + (1 − alpha) · CE(student, labels), G's rows being an example's inner
    products with all of its batch, scaled to unit length

    Eqs. 2 to 4 of Tung & Mori 2019: the mean over an example's row here, over all rows as a training takes the mean of
    its batch. The default of gamma is the weight in the benchmark of Tian et al. (2020).
    """
    told, taught = _similarities(student.features[guided]), _similarities(teacher.features[hint].detach())
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * gamma * (told - taught).square().mean(-1) + (1 - alpha) * hard


def _similarities(activations: Tensor) -> Tensor:
    """Inner products [batch, batch] between examples, each row of unit length."""
    points = exact(activations).flatten(1)
    return normalize(points @ points.mT, dim=-1)
