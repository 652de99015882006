"""Distillation by the squared difference of logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import TeacherWeight
from trainables.methods.terms import STANDARDIZE_CLAUSE, logit_pair
from trainables.output import Output


@declare(
    formula="alpha · mean((teacher − student)²) + (1 − alpha) · CE(student, labels), the mean over the logits of an "
    "example",
    options={"standardize": STANDARDIZE_CLAUSE},
    paper="Kim et al. (2021), arXiv:2105.08919",
)
def mse(student: Output, teacher: Output, labels: Tensor, *, alpha: TeacherWeight, standardize: bool = False) -> Tensor:
    """Distillation by the mean squared difference of logits.

    The mean is that of the paper's code; the paper's formula is the sum, the number of classes times as large. At high
    temperatures `hinton` tends to half this mean, if the mean logits of student and teacher are equal.

    Args:
        alpha: Weight of the teacher's term.
        standardize: Give logits zero mean and unit variance first.
    """
    student_logits, teacher_logits = logit_pair(student, teacher, standardize)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * (teacher_logits - student_logits).square().mean(-1) + (1 - alpha) * hard
