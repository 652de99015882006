"""Neuron selectivity transfer between two layers."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from trainables.declare import declare
from trainables.knobs import Amount, StudentLayer, TeacherLayer, TeacherWeight
from trainables.methods.maps import match_maps
from trainables.methods.terms import at_least_float32
from trainables.output import Output


@declare(
    formula="alpha · beta · (K(hint, hint) + K(guided, guided) − 2 · K(hint, guided)) + (1 − alpha) · CE(student, "
    "labels), K the mean squared inner product of channels, each a map of unit length",
    paper="Huang & Wang (2017), arXiv:1707.01219",
)
def neuron_selectivity(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    guided: StudentLayer,
    hint: TeacherLayer,
    beta: Amount = 50.0,
) -> Tensor:
    """Neuron selectivity transfer: match the channels' distributions over positions (NST).

    Takes activations [batch, channels, height, width]; the larger grid is averaged down to the smaller one. The squared
    maximum mean discrepancy with the polynomial kernel of degree 2 and constant 0.

    Args:
        alpha: Weight of the teacher's term.
        guided: Student layer.
        hint: Teacher layer.
        beta: Factor of the discrepancy; the default is the weight in the benchmark of Tian et al. (2020).

    Raises:
        ValueError: A layer has no channels with positions.
    """
    guided_map, hint_map = student.features[guided], teacher.features[hint].detach()
    for name, activations in ((guided, guided_map), (hint, hint_map)):
        if activations.ndim != 4:
            shape = [*activations.shape[1:]]
            raise ValueError(
                f"method neuron_selectivity: {name} has the shape {shape}; expected [channels, height, width]"
            )
    pair = match_maps(at_least_float32(guided_map), at_least_float32(hint_map))
    s, t = (normalize(activations.flatten(2), dim=-1) for activations in pair)
    discrepancy = _mean_kernel(t, t) + _mean_kernel(s, s) - 2 * _mean_kernel(s, t)
    return alpha * beta * discrepancy + (1 - alpha) * cross_entropy(student.logits, labels, reduction="none")


def _mean_kernel(first: Tensor, second: Tensor) -> Tensor:
    """Mean squared inner products [batch] of channels [batch, channels, positions]."""
    return (first @ second.mT).square().mean((-2, -1))
