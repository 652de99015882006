"""Normalized knowledge distillation."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import Amount, TeacherWeight, Temperature
from trainables.methods.terms import STANDARDIZE_CLAUSE, logit_pair, split_target
from trainables.output import Output


@declare(
    formula="alpha · (p · CE(student, labels) + gamma · T² · CE(among the other classes)) + (1 − alpha) · CE(student, "
    "labels), p the teacher's probability of the true class, the other classes by softmax(· / T) without the true one",
    options={"standardize": STANDARDIZE_CLAUSE},
    paper="Yang et al. (2023), arXiv:2303.13005",
    needs_labels=True,
)
def normalized(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    temperature: Temperature = 1.0,
    gamma: Amount = 1.5,
    standardize: bool = False,
) -> Tensor:
    """Normalized distillation of the other classes (NKD).

    The other classes' probabilities are divided by their sum, the teacher's and the student's. Both terms are
    cross-entropies: the first draws the true class to 1, also where the teacher's probability is lower.

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of the other classes; the default is that of the paper's code.
        gamma: Weight of the other classes; the default is that of the paper's code.
        standardize: Give logits zero mean and unit variance first.
    """
    student_logits, teacher_logits = logit_pair(student, teacher, standardize)
    target = teacher_logits.softmax(-1).gather(-1, labels[:, None])[:, 0]
    target_loss = target * cross_entropy(student_logits, labels, reduction="none")
    rest, soft_rest = (split_target(logits / temperature, labels)[1] for logits in (student_logits, teacher_logits))
    rest_loss = -(soft_rest.softmax(-1) * rest.log_softmax(-1)).sum(-1)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * (target_loss + gamma * temperature**2 * rest_loss) + (1 - alpha) * hard
