"""Probabilistic knowledge transfer between two layers."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from trainables.declare import declare
from trainables.knobs import Amount, StudentLayer, TeacherLayer, TeacherWeight
from trainables.methods.terms import at_least_float32
from trainables.output import Output

PROBABILITY_FLOOR = 1e-7  # added, for opposite examples have the probability 0


@declare(
    formula="alpha · gamma · mean(P(hint) · log(P(hint) / P(guided))) + (1 − alpha) · CE(student, labels), P's rows "
    "being (1 + cosine) / 2 of an example with all of its batch, divided by their sum",
    paper="Passalis & Tefas (2018), arXiv:1803.10837",
)
def probabilistic(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    guided: StudentLayer,
    hint: TeacherLayer,
    gamma: Amount = 30000.0,
) -> Tensor:
    """Probabilistic transfer: match the neighborhoods within a batch (PKT).

    Takes activations [batch, ...] of two layers, of any shapes, in the paper those before the classifier. As in its
    code an example is a neighbor of itself, and the row's mean stands for its sum; the paper's formula has neither.

    Args:
        alpha: Weight of the teacher's term.
        guided: Student layer.
        hint: Teacher layer.
        gamma: Factor of the divergence; the default is the weight in the benchmark of Tian et al. (2020).
    """
    q = _neighbor_probabilities(student.features[guided])
    p = _neighbor_probabilities(teacher.features[hint].detach())
    divergences = (p * (p / q).log()).mean(-1)
    return alpha * gamma * divergences + (1 - alpha) * cross_entropy(student.logits, labels, reduction="none")


def _neighbor_probabilities(activations: Tensor) -> Tensor:
    """Probabilities [batch, batch] of examples as neighbors of each example."""
    directions = normalize(at_least_float32(activations).flatten(1), dim=-1)
    kernel = (1 + directions @ directions.mT) / 2
    return kernel / kernel.sum(-1, keepdim=True) + PROBABILITY_FLOOR
