"""Knowledge distillation with softened outputs."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import TeacherWeight, Temperature
from trainables.methods.terms import kl_divergence
from trainables.output import Output


@declare(
    formula="alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − alpha) · CE(student, labels)",
    paper="Hinton, Vinyals & Dean (2015), section 2",
)
def hinton(
    student: Output, teacher: Output, labels: Tensor, *, alpha: TeacherWeight, temperature: Temperature
) -> Tensor:
    """Knowledge distillation with softened outputs.

    The factor T² keeps the size of the soft gradient independent of T (section 2 of the paper).

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of both softmaxes.
    """
    soft = kl_divergence(student.logits / temperature, teacher.logits / temperature)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * soft + (1 - alpha) * hard
