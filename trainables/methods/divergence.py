"""Distillation by the alpha-beta divergence."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy

from trainables.declare import declare
from trainables.knobs import TeacherWeight, Temperature
from trainables.methods.terms import STANDARDIZE_CLAUSE, logit_pair
from trainables.output import Output

Power = Annotated[float, Field(ge=0, le=2)]
SERIES_SPREAD = 0.5  # below it, differences of exponentials cancel; the series is then exact to 1e-7
SMALL_STEP = 1e-2


@declare(
    formula="alpha · T² · D(softmax(teacher / T), softmax(student / T)) + (1 − alpha) · CE(student, labels), D(p, q) = "
    "Σ (a pᵃ⁺ᵇ + b qᵃ⁺ᵇ − (a + b) pᵃ qᵇ) / (a b (a + b)) or its limit, a the teacher_power and b the student_power",
    options={"standardize": STANDARDIZE_CLAUSE},
    paper="Wang et al. (2025), arXiv:2505.04560, after Cichocki, Cruces & Amari (2011)",
)
def divergence(
    student: Output,
    teacher: Output,
    labels: Tensor,
    *,
    alpha: TeacherWeight,
    temperature: Temperature,
    teacher_power: Power = 0.8,
    student_power: Power = 0.3,
    standardize: bool = False,
) -> Tensor:
    """Distillation by the alpha-beta divergence of probabilities (ABKD).

    Powers 1 and 0 are `hinton`, 0 and 1 the reverse divergence, ½ and ½ four times the squared Hellinger distance, 0
    and 0 half the squared distance of log-probabilities. The paper calls the powers alpha and beta; its code has no T².

    Args:
        alpha: Weight of the teacher's term.
        temperature: Temperature T of both softmaxes.
        teacher_power: Power of the teacher's probabilities; the default is the example in the paper's code.
        student_power: Power of the student's probabilities; the default is the example in the paper's code.
        standardize: Give logits zero mean and unit variance first.
    """
    log_q, log_p = ((logits / temperature).log_softmax(-1) for logits in logit_pair(student, teacher, standardize))
    terms = _alpha_beta_terms(log_p, log_q, teacher_power, student_power)
    hard = cross_entropy(student.logits, labels, reduction="none")
    return alpha * temperature**2 * terms.sum(-1) + (1 - alpha) * hard


def _alpha_beta_terms(log_p: Tensor, log_q: Tensor, a: float, b: float) -> Tensor:
    """Terms [batch, classes] of the alpha-beta divergence.

    With r = log(q / p), a term is r² times the second divided difference of exp at (a + b) log q, a log p + b log q and
    (a + b) log p. This form has no special cases, so that the powers may differ in a pack.
    """
    high, middle, low = (a + b) * log_q, a * log_p + b * log_q, (a + b) * log_p
    ratio = log_q - log_p
    spread = high - low
    is_small = spread.abs() < SERIES_SPREAD
    slopes = _divided_difference(high, middle) - _divided_difference(middle, low)
    direct = slopes / torch.where(is_small, 1, spread)
    return ratio.square() * torch.where(is_small, _divided_difference_series(high, middle, low), direct)


def _divided_difference(x: Tensor, y: Tensor) -> Tensor:
    """Slope of exp between two points."""
    step = (x - y).abs()
    is_small = step < SMALL_STEP
    divisor = torch.where(is_small, 1, step)
    decay = torch.where(is_small, 1 - step / 2 + step**2 / 6 - step**3 / 24, -torch.expm1(-divisor) / divisor)
    return torch.maximum(x, y).exp() * decay


def _divided_difference_series(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Second divided difference of exp at three close points."""
    mean = (x + y + z) / 3
    x, y, z = x - mean, y - mean, z - mean
    pairs, product = x * y + y * z + z * x, x * y * z
    return mean.exp() * (1 / 2 - pairs / 24 + product / 120 + pairs**2 / 720)
