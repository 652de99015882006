"""Each metric against scikit-learn, or against an independent computation in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, log_loss, roc_auc_score
from torch.nn.functional import cross_entropy

from spaces.metric_functions import accuracy, agreement, expected_calibration_error, roc_auc
from spaces.metrics import METRICS, compute_metrics


def random_logits(n: int, classes: int = 4, seed: int = 0, digits: int = 9) -> torch.Tensor:
    return torch.randn(n, classes, generator=torch.Generator().manual_seed(seed)).round(decimals=digits)


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error bin by bin; a bin holds its upper end."""
    confidence, predicted = probabilities.max(1), probabilities.argmax(1)
    total = 0.0
    for index in range(15):
        members = (confidence > index / 15) & (confidence <= (index + 1) / 15)
        if members.any():
            gap = (predicted[members] == labels[members]).mean() - confidence[members].mean()
            total += members.mean() * abs(gap)
    return total


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(1).mean()


def references(logits: torch.Tensor, labels: torch.Tensor) -> dict[str, float | None]:
    """Return every metric of the table by other means."""
    probabilities, predicted = logits.double().softmax(-1).numpy(), logits.argmax(-1)
    classes, truth = logits.shape[1], labels.numpy()
    scores = probabilities[:, 1] if classes == 2 else probabilities
    return {
        "loss": log_loss(truth, probabilities, labels=range(classes)),
        "accuracy": (predicted.numpy() == truth).mean(),
        "macro_f1": f1_score(truth, predicted, average="macro"),
        "auc": roc_auc_score(truth, scores, multi_class="ovr"),
        "f1": f1_score(truth, predicted) if classes == 2 else None,
        "ece": calibration_error(probabilities, truth),
        "brier": brier(probabilities, truth),
    }


@settings(max_examples=60)
@given(n=st.integers(20, 60), classes=st.integers(2, 5), digits=st.integers(0, 3), seed=st.integers(0, 99))
def test_every_metric_agrees_with_an_independent_computation(n: int, classes: int, digits: int, seed: int) -> None:
    """All classes occur; logits of few digits have many ties."""
    logits = random_logits(n, classes, seed, digits)
    others = torch.randint(0, classes, (n - classes,), generator=torch.Generator().manual_seed(seed))
    labels = torch.cat([torch.arange(classes), others])
    expected = references(logits, labels)
    assert set(expected) == {metric.name for metric in METRICS}
    for metric in METRICS:
        value = metric.compute(logits, labels)
        assert value == (None if expected[metric.name] is None else pytest.approx(expected[metric.name], abs=1e-6))


def test_the_loss_has_the_last_bits_of_torchs_kernel() -> None:
    logits, labels = random_logits(1797, 10), torch.arange(1797) % 10
    assert compute_metrics(logits, labels, "val")["val_loss"] == cross_entropy(logits, labels).item()


def test_metrics_by_hand() -> None:
    # correct with probability 3/4, correct with 1/2, wrong with 1/4
    logits = torch.tensor([[math.log(3), 0.0], [0.0, 0.0], [math.log(3), 0.0]])
    metrics = compute_metrics(logits, torch.tensor([0, 0, 1]), "test")
    assert metrics["test_accuracy"] == pytest.approx(2 / 3)
    assert metrics["test_loss"] == pytest.approx((math.log(4 / 3) + math.log(2) + math.log(4)) / 3)
    assert metrics["test_brier"] == pytest.approx((2 / 16 + 2 / 4 + 18 / 16) / 3)
    # bin of 3/4: accuracy 1/2; bin of 1/2: accuracy 1
    assert metrics["test_ece"] == pytest.approx(2 / 3 * 1 / 4 + 1 / 3 * 1 / 2)


def test_a_confidence_at_a_bins_upper_end_is_in_that_bin() -> None:
    """All 15 probabilities are 1/15, the upper end of the first bin."""
    logits, labels = torch.zeros(30, 15), torch.zeros(30, dtype=torch.int64)
    assert expected_calibration_error(logits, labels) == pytest.approx(1 - 1 / 15)


def test_a_perfect_prediction_has_no_calibration_error() -> None:
    logits = 1000 * torch.eye(4)
    metrics = compute_metrics(logits, torch.arange(4), "val")
    assert metrics["val_ece"] == metrics["val_brier"] == 0


def test_accuracy_is_exact() -> None:
    labels = torch.zeros(10_000, dtype=torch.int64)
    logits = torch.tensor([[1.0, 0.0]]).repeat(10_000, 1)
    logits[:137] = torch.tensor([0.0, 1.0])
    assert accuracy(logits, labels) == 0.9863


def test_a_logit_that_is_not_a_number_makes_the_loss_nan() -> None:
    logits = random_logits(3)
    logits[1, 0] = math.nan
    assert math.isnan(compute_metrics(logits, torch.tensor([0, 1, 2]), "val")["val_loss"] or 0)


def test_f1_of_the_second_of_two_classes() -> None:
    # class 1 is predicted for four images, three of them correctly; five images are of class 1
    logits = torch.eye(2)[torch.tensor([1, 1, 1, 1, 0, 0, 0, 0])]
    metrics = compute_metrics(logits, torch.tensor([1, 1, 1, 0, 1, 1, 0, 0]), "test")
    assert metrics["test_f1"] == pytest.approx(6 / 9)
    assert metrics["test_macro_f1"] == pytest.approx((6 / 9 + 4 / 7) / 2)
    assert compute_metrics(torch.tensor([[1.0, 0.0]]), torch.tensor([1]), "test")["test_f1"] == 0


def test_absent_classes_are_left_out() -> None:
    logits, labels = random_logits(30), torch.tensor([0, 1, 3] * 10)
    probabilities = logits.double().softmax(-1).numpy()
    areas = [roc_auc_score(labels == label, probabilities[:, label]) for label in (0, 1, 3)]
    metrics = compute_metrics(logits, labels, "val")
    assert metrics["val_auc"] == pytest.approx(sum(areas) / 3)
    assert metrics["val_macro_f1"] == pytest.approx(f1_score(labels, logits.argmax(-1), average="macro"))


def test_one_class_or_a_nan_has_no_roc_curve() -> None:
    assert roc_auc(random_logits(5), torch.zeros(5, dtype=torch.int64)) is None
    broken = random_logits(5)
    broken[0, 0] = math.nan
    assert roc_auc(broken, torch.arange(5) % 2) is None


@given(st.integers(1, 30), st.integers(0, 99))
def test_agreement_is_a_symmetric_fraction(n: int, seed: int) -> None:
    first, second = random_logits(n, seed=seed), random_logits(n, seed=seed + 1)
    fraction = agreement(first, second)
    assert fraction == agreement(second, first) == agreement(3 * first + 1, second)
    assert fraction * n == pytest.approx(sum(a.argmax() == b.argmax() for a, b in zip(first, second, strict=True)))
    assert agreement(first, first) == 1
