"""Distillation with refined logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import Amount, TeacherWeight, Temperature
from trainables.methods.terms import (
    STANDARDIZE_CLAUSE,
    kl_divergence,
    logit_pair,
    split_target,
    target_against_others,
)
from trainables.output import Output

EXCLUDED_LOGIT = -1e9  # its probability is 0


@declare(
    formula="alpha · (C² · KL(teacher's top class or another ‖ student's true class or another) + beta · T² · KL(among "
    "the classes below the true class)) + (1 − alpha) · CE(student, labels), C the confidence_temperature, the classes "
    "below those to which the teacher gives a smaller logit",
    options={"standardize": STANDARDIZE_CLAUSE},
    paper="W. Sun et al. (2024), arXiv:2408.07444",
    needs_labels=True,
)
def refined(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    temperature: Temperature,
    beta: Amount = 8.0,
    confidence_temperature: Temperature = 1.0,
    standardize: bool = False,
) -> Tensor:
    """Distillation of logits without the teacher's errors (RLD).

    Where the teacher is right and both temperatures are equal, it is `decoupled`. Where it errs, the student gets its
    confidence for the true class, and learns nothing of the classes that it ranks above. Without the warm-up of the
    paper's code, and with the weight of its first term in alpha.

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of the classes below the true class.
        beta: Weight of the classes below the true class; the default is that of the paper's code.
        confidence_temperature: Temperature C of the confidence; the default is that of the paper's code.
        standardize: Give logits zero mean and unit variance first.
    """
    student_logits, teacher_logits = logit_pair(student, teacher, standardize)
    confidence = kl_divergence(
        target_against_others(*split_target(student_logits / confidence_temperature, labels)),
        target_against_others(*split_target(teacher_logits / confidence_temperature, teacher_logits.argmax(-1))),
    )
    is_excluded = teacher_logits >= teacher_logits.gather(-1, labels[:, None])
    ranked = kl_divergence(
        (student_logits / temperature).masked_fill(is_excluded, EXCLUDED_LOGIT),
        (teacher_logits / temperature).masked_fill(is_excluded, EXCLUDED_LOGIT),
    )
    soft = confidence_temperature**2 * confidence + beta * temperature**2 * ranked
    return alpha * soft + (1 - alpha) * cross_entropy(student.logits, labels, reduction="none")
