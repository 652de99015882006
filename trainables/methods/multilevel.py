"""Multi-level logit distillation on one view of each image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import Amount, TeacherWeight, Temperature
from trainables.methods.terms import STANDARDIZE_CLAUSE, kl_divergence, logit_pair
from trainables.output import Output


@declare(
    formula="alpha · mean over temperatures of (T² · KL(p ‖ q) + beta · ‖(p pᵀ − q qᵀ) of the example‖² + gamma · "
    "‖pᵀ p − qᵀ q‖² / classes) + (1 − alpha) · CE(student, labels), p and q the softmax(· / T) [batch, classes] of "
    "teacher and student",
    options={"standardize": "in KL " + STANDARDIZE_CLAUSE},
    paper="Jin, Wang & Lin (2023), section 3, with one view only",
)
def multilevel(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    temperatures: Annotated[Sequence[Temperature], Field(min_length=1)] = (2.0, 3.0, 4.0, 5.0, 6.0),
    beta: Amount = 1.0,
    gamma: Amount = 1.0,
    standardize: bool = False,
) -> Tensor:
    """Logit distillation of examples, batch and classes, in one view.

    The paper (MLKD) trains on a weak and a strong view of each image and leaves out confident examples of the former:
    its numbers are not those of this method. Its code adds up the temperatures. The distance of the class correlations
    belongs to the whole batch, grows with its square, and is added to every example.

    Args:
        alpha: Weight of the teacher's term.
        temperatures: Temperatures T of both softmaxes; the defaults are those of the paper's code.
        beta: Weight of the correlations between examples; the default is that of the paper's code.
        gamma: Weight of the correlations between classes; the default is that of the paper's code.
        standardize: Give the logits of KL zero mean and unit variance first.
    """
    student_logits, teacher_logits = logit_pair(student, teacher, standardize)
    levels = student.logits.new_zeros(())
    for temperature in temperatures:
        q, p = ((logits / temperature).softmax(-1) for logits in (student.logits, teacher.logits.detach()))
        divergence = kl_divergence(student_logits / temperature, teacher_logits / temperature)
        examples = (p @ p.mT - q @ q.mT).square().sum(-1)
        classes = (p.mT @ p - q.mT @ q).square().sum((-2, -1)) / p.shape[-1]
        levels = levels + temperature**2 * divergence + beta * examples + gamma * classes
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * levels / len(temperatures) + (1 - alpha) * hard
