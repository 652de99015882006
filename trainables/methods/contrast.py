"""How a teacher is taught to use its subclasses, after Müller, Kornblith & Hinton (2020)."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.knobs import Amount, Positive
from trainables.methods.subclass import subclasses
from trainables.methods.terms import standard
from trainables.output import Output


def contrast(student: Output, teacher: Output | None, labels: Tensor, *, beta: Amount, temperature: Positive) -> Tensor:
    """Loss per example [batch] of a network without a teacher, from its subclass logits and their relations.

    CE(student, labels) + beta · (log meanⱼ exp(vᵢ · vⱼ / T) − 1 / T), v the subclass logits of an example with zero
    mean and unit length

    Its mean over the batch is eq. 8 of Müller et al. 2020 with eq. 7: 0 for a batch of equal examples, negative where
    they differ. As in their code, a length of 1 is a variance of 1 over the number of all subclasses. `temperature` is
    not that of a distillation.
    """
    logits = subclasses(student)
    vectors = standard(logits) / math.sqrt(logits.shape[-1])
    likeness = (vectors @ vectors.mT / temperature).logsumexp(-1) - math.log(len(vectors))
    return cross_entropy(student.logits, labels, reduction="none") + beta * (likeness - 1 / temperature)
