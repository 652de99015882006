"""Transformed teacher matching: a temperature for the teacher alone."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import TeacherWeight, Temperature
from trainables.methods.terms import STANDARDIZE_CLAUSE, kl_divergence, logit_pair
from trainables.output import Output


@declare(
    formula="alpha · w · KL(softmax(teacher / T) ‖ softmax(student)) + (1 − alpha) · CE(student, labels), w the sum of "
    "softmax(teacher)^(1 / T) over the classes if weighted, otherwise 1",
    options={"standardize": STANDARDIZE_CLAUSE},
    paper="Zheng & Yang (2024), arXiv:2402.11148, sections 3 and 4",
)
def transformed(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    temperature: Temperature,
    weighted: bool = True,
    standardize: bool = False,
) -> Tensor:
    """Transformed teacher matching, weighted by default (TTM, WTTM).

    The student has no temperature, so its outputs differ from the teacher's where the loss is smallest. The paper's
    exponent gamma is 1 / T; its weight beta beside a cross-entropy of weight 1 is alpha = beta / (1 + beta) here.

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of the teacher's softmax.
        weighted: Weigh examples by the smoothness of the teacher's output, 1 to classes^(1 − 1 / T).
        standardize: Give logits zero mean and unit variance first.
    """
    student_logits, teacher_logits = logit_pair(student, teacher, standardize)
    soft = kl_divergence(student_logits, teacher_logits / temperature)
    if weighted:
        soft = soft * (teacher_logits.log_softmax(-1) / temperature).exp().sum(-1)
    return alpha * soft + (1 - alpha) * cross_entropy(student.logits, labels, reduction="none")
