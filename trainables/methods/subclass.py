"""Distillation over subclasses that the teacher invented, after Müller, Kornblith & Hinton (2020)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.knobs import Fraction, Positive
from trainables.methods.terms import divergence, exact
from trainables.output import Output


def subclass(student: Output, teacher: Output, labels: Tensor, *, alpha: Fraction, temperature: Positive) -> Tensor:
    """Loss per example [batch]; `features["subclasses"]` are logits [batch, subclasses], `logits` those pooled.

    alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) over all subclasses + (1 − alpha) · CE(student, labels)

    Müller et al. 2020, eq. 3 and 4, less the entropy of the teacher. A network that tells no subclasses apart has its
    classes for subclasses; ValueError where student and teacher have different numbers of them.
    """
    told, taught = subclasses(student), subclasses(teacher)
    if told.shape != taught.shape:
        found = f"{told.shape[-1]} of the student and {taught.shape[-1]} of the teacher"
        raise ValueError(f"method subclass: found subclasses {found}, expected as many")
    soft = divergence(told / temperature, taught / temperature)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * soft + (1 - alpha) * hard


def subclasses(output: Output) -> Tensor:
    """Subclass logits [batch, subclasses of all classes] of a network, its class logits where it has no subclasses."""
    return exact(output.features.get("subclasses", output.logits))
