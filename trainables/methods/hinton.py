"""Knowledge distillation through softened outputs, after Hinton, Vinyals & Dean (2015), section 2."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.knobs import Fraction, Positive
from trainables.methods.terms import divergence
from trainables.output import Output


def hinton(student: Output, teacher: Output, labels: Tensor, *, alpha: Fraction, temperature: Positive) -> Tensor:
    """Loss per example [batch] from logits [batch, classes] and labels [batch].

    alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − alpha) · CE(student, labels)

    The factor T² keeps the soft gradient's size independent of T (Hinton et al. 2015, sec. 2).
    """
    soft = divergence(student.logits / temperature, teacher.logits / temperature)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * soft + (1 - alpha) * hard
