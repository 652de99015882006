"""Label smoothing, a control: soft targets that know nothing, after Szegedy et al. (2016), section 7."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from trainables.knobs import Fraction
from trainables.output import Output


def smoothing(student: Output, teacher: Output | None, labels: Tensor, *, alpha: Fraction) -> Tensor:
    """Loss per example [batch] from logits [batch, classes] and labels [batch]; there is no teacher.

    alpha · CE(student, uniform) + (1 − alpha) · CE(student, labels)

    Here alpha is the probability that is taken from the label and shared out among all classes.
    """
    uniform = -log_softmax(student.logits, dim=-1).mean(-1)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * uniform + (1 - alpha) * hard
