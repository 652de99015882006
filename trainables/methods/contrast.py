"""Contrastive loss for training a teacher with subclasses."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import Amount, Positive
from trainables.methods.subclass import subclass_logits
from trainables.methods.terms import standardize_logits
from trainables.output import Output


@declare(
    formula="CE(student, labels) + beta · (log meanⱼ exp(vᵢ · vⱼ / T) − 1 / T), v the subclass logits of an example "
    "with zero mean and unit length",
    paper="Müller, Kornblith & Hinton (2020)",
)
def subclass_contrast(
    student: Output, teacher: Output | None, labels: Tensor, *, beta: Amount, temperature: Positive
) -> Tensor:
    """Contrastive training of a teacher with subclasses.

    Needs no teacher: the trained network is itself the teacher of `subclass`. The mean over the batch is eq. 8 of the
    paper with eq. 7. The second term is 0 for a batch of equal examples and negative for different ones. As in the
    paper's code, a vector of length 1 has a variance of 1 over the number of all subclasses.

    Args:
        beta: Weight of the contrastive term.
        temperature: Temperature T of the similarities, unrelated to that of distillation.
    """
    logits = subclass_logits(student)
    vectors = standardize_logits(logits) / math.sqrt(logits.shape[-1])
    similarity = (vectors @ vectors.mT / temperature).logsumexp(-1) - math.log(len(vectors))
    return cross_entropy(student.logits, labels, reduction="none") + beta * (similarity - 1 / temperature)
