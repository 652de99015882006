"""Knowledge distillation with softened outputs."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import TeacherWeight, Temperature
from trainables.methods.terms import STANDARDIZE_CLAUSE, kl_divergence, logit_pair
from trainables.output import Output, Progress


@declare(
    formula="alpha · T² · KL(softmax(teacher / T) ‖ softmax(student / T)) + (1 − alpha) · CE(student, labels)",
    options={
        "final_temperature": "T moves over the epochs to final_temperature by temperature_path",
        "standardize": STANDARDIZE_CLAUSE,
    },
    paper="Hinton, Vinyals & Dean (2015), section 2",
)
def hinton(
    student: Output,
    teacher: Output,
    labels: Tensor,
    progress: Progress = Progress(1, 1),  # noqa: B008
    *,
    alpha: TeacherWeight,
    temperature: Temperature,
    final_temperature: Temperature | None = None,
    temperature_path: Literal["linear", "cosine"] = "linear",
    standardize: bool = False,
) -> Tensor:
    """Knowledge distillation with softened outputs.

    The factor T² keeps the size of the soft gradient independent of T (section 2 of the paper).

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of both softmaxes, in the first epoch if there is a final one.
        final_temperature: Temperature in the last epoch; by default T is the same in all epochs.
        temperature_path: Course of T over the epochs, from the first to the final temperature.
        standardize: Give logits zero mean and unit variance first (Sun et al. 2024).
    """
    if final_temperature is not None:
        temperature = temperature + (final_temperature - temperature) * _path_position(progress, temperature_path)
    soft = kl_divergence(*(logits / temperature for logits in logit_pair(student, teacher, standardize)))
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * soft + (1 - alpha) * hard


def _path_position(progress: Progress, path: str) -> float:
    """Return the part of the way to the final temperature, 0 in the first epoch and 1 in the last."""
    position = (progress.epoch - 1) / max(1, progress.epochs - 1)
    return (1 - math.cos(math.pi * position)) / 2 if path == "cosine" else position
