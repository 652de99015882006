"""Label smoothing, a control experiment."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from trainables.declare import declare
from trainables.knobs import TeacherWeight
from trainables.output import Output


@declare(
    formula="alpha · CE(student, uniform) + (1 − alpha) · CE(student, labels)",
    paper="Szegedy et al. (2016), section 7",
)
def smoothing(student: Output, teacher: Output | None, labels: Tensor, *, alpha: TeacherWeight) -> Tensor:
    """Label smoothing: a control with uninformative soft targets.

    Needs no teacher.

    Args:
        alpha: Probability taken from the label and shared among all classes.
    """
    uniform = -log_softmax(student.logits, dim=-1).mean(-1)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * uniform + (1 - alpha) * hard
