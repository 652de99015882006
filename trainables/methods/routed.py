"""Several students of one teacher, with a trained selector."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import Amount, TeacherWeight, Temperature
from trainables.methods.terms import at_least_float32, kl_divergence
from trainables.output import Output


@declare(
    formula="mean over students of (alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − alpha) · "
    "CE(student, labels)) + selector_weight · CE(selector, best student)",
    needs_labels=True,
)
def routed(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    temperature: Temperature,
    selector_weight: Amount = 1.0,
) -> Tensor:
    """Distillation of several students with a trained selector.

    From a student project on CIFAR-10 (2020). Takes the features "students" [batch, students, classes] and "selector"
    [batch, students] of the network `routed`. The best student gives the true class the highest probability, which is
    the project's smallest absolute error; of equal students it is the first. That choice has no derivative, so the last
    term trains the selector only. With alpha = 0 all students and the selector are trained on the labels, as in `none`.

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of both softmaxes.
        selector_weight: Weight of the selector's cross-entropy.
    """
    students, selector = (at_least_float32(student.features[name]) for name in ("students", "selector"))
    soft = kl_divergence(students / temperature, teacher.logits[:, None] / temperature)
    hard = cross_entropy(students.mT, labels[:, None].expand_as(selector), reduction="none")
    choice = cross_entropy(selector, hard.detach().argmin(-1), reduction="none")
    return (alpha * temperature**2 * soft + (1 - alpha) * hard).mean(-1) + selector_weight * choice
