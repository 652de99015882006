"""Metrics of the parts of a network."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.diagnose import diagnose_network
from trainables.output import Output
from trainables.subclasses import prediction_entropy, utilization_entropy

LABELS = torch.tensor([0, 1, 2, 0])


def confident_logits(classes_: list[list[int]], classes: int) -> torch.Tensor:
    return 9 * torch.nn.functional.one_hot(torch.tensor(classes_), classes).float()


def test_no_metrics_of_other_networks() -> None:
    assert diagnose_network(Output(torch.rand(4, 3), {"relu1": torch.rand(4, 7)}), LABELS) == {}


def test_students_oracle_and_selector() -> None:
    # Correct: the first, both, the second, none.
    students = confident_logits([[0, 1], [1, 1], [0, 2], [1, 2]], 3)
    selector = torch.tensor([[0.2, 0.1], [0.0, 3.0], [-1.0, -2.0], [5.0, 4.0]])
    metrics = diagnose_network(Output(torch.rand(4, 3), {"students": students, "selector": selector}), LABELS)
    assert metrics == {
        **{"student_1_accuracy": 0.5, "student_2_accuracy": 0.5, "oracle_accuracy": 0.75},
        **{"student_1_chosen": 0.75, "student_2_chosen": 0.25},
    }


@given(st.integers(1, 4), st.integers(0, 2**16))
def test_the_oracle_is_the_best(n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    students, selector = torch.randn(20, n, 3, generator=generator), torch.randn(20, n, generator=generator)
    labels = torch.randint(0, 3, (20,), generator=generator)
    metrics = diagnose_network(Output(students[:, 0], {"students": students, "selector": selector}), labels)
    accuracies = [metrics[f"student_{i}_accuracy"] for i in range(1, n + 1)]
    assert max(accuracies) <= metrics["oracle_accuracy"] <= sum(accuracies) + 1e-9
    assert sum(metrics[f"student_{i}_chosen"] for i in range(1, n + 1)) == pytest.approx(1)
    assert len(metrics) == 2 * n + 1


def test_a_student_that_is_never_selected() -> None:
    features = {"students": confident_logits([[0, 1]] * 4, 3), "selector": torch.tensor([[1.0, 0.0]] * 4)}
    assert diagnose_network(Output(torch.rand(4, 3), features), LABELS)["student_2_chosen"] == 0


def test_subclasses_in_bits() -> None:
    # Each image has one certain subclass, and all four are used equally.
    logits = 1e3 * torch.eye(4)
    metrics = diagnose_network(Output(torch.rand(4, 2), {"subclasses": logits}), LABELS)
    assert metrics == {"prediction_entropy": pytest.approx(0, abs=1e-6), "utilisation_entropy": pytest.approx(2)}
    logits = torch.randn(4, 6)
    metrics = diagnose_network(Output(torch.rand(4, 2), {"subclasses": logits}), LABELS)
    assert metrics["prediction_entropy"] == float(prediction_entropy(logits))
    assert metrics["utilisation_entropy"] == float(utilization_entropy(logits))
