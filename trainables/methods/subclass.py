"""Distillation over the teacher's subclasses."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import TeacherWeight, Temperature
from trainables.methods.terms import at_least_float32, kl_divergence
from trainables.output import Output


@declare(
    formula="alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) over all subclasses + (1 − alpha) · "
    "CE(student, labels)",
    paper="Müller, Kornblith & Hinton (2020)",
)
def subclass(
    student: Output, teacher: Output, labels: Tensor, *, alpha: TeacherWeight, temperature: Temperature
) -> Tensor:
    """Distillation over subclasses discovered by the teacher.

    Eqs. 3 and 4 of the paper, less the entropy of the teacher. `features["subclasses"]` are logits [batch, subclasses];
    `logits` are the same, pooled by class. A network without subclasses uses its class logits.

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of both softmaxes.

    Raises:
        ValueError: Student and teacher have different numbers of subclasses.
    """
    student_logits, teacher_logits = subclass_logits(student), subclass_logits(teacher)
    if student_logits.shape != teacher_logits.shape:
        counts = f"{student_logits.shape[-1]} of the student and {teacher_logits.shape[-1]} of the teacher"
        raise ValueError(f"method subclass: found subclasses {counts}, expected equal numbers")
    soft = kl_divergence(student_logits / temperature, teacher_logits / temperature)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * soft + (1 - alpha) * hard


def subclass_logits(output: Output) -> Tensor:
    """Logits [batch, subclasses] of all classes together.

    Class logits for a network without subclasses.
    """
    return at_least_float32(output.features.get("subclasses", output.logits))
