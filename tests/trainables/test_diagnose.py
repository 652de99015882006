"""What is said of the parts of a network."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainables.diagnose import diagnose
from trainables.output import Output
from trainables.subclasses import prediction_entropy, utilisation_entropy

LABELS = torch.tensor([0, 1, 2, 0])


def sure(answers: list[list[int]], classes: int) -> torch.Tensor:
    return 9 * torch.nn.functional.one_hot(torch.tensor(answers), classes).float()


def test_nothing_to_say_of_other_networks() -> None:
    assert diagnose(Output(torch.rand(4, 3), {"relu1": torch.rand(4, 7)}), LABELS) == {}


def test_students_their_oracle_and_the_choice() -> None:
    # Who is right: the first, both, the second, nobody.
    students = sure([[0, 1], [1, 1], [0, 2], [1, 2]], 3)
    selector = torch.tensor([[0.2, 0.1], [0.0, 3.0], [-1.0, -2.0], [5.0, 4.0]])
    found = diagnose(Output(torch.rand(4, 3), {"students": students, "selector": selector}), LABELS)
    assert found == {
        **{"student_1_accuracy": 0.5, "student_2_accuracy": 0.5, "oracle_accuracy": 0.75},
        **{"student_1_chosen": 0.75, "student_2_chosen": 0.25},
    }


@given(st.integers(1, 4), st.integers(0, 2**16))
def test_nobody_beats_the_oracle(n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    students, selector = torch.randn(20, n, 3, generator=generator), torch.randn(20, n, generator=generator)
    labels = torch.randint(0, 3, (20,), generator=generator)
    found = diagnose(Output(students[:, 0], {"students": students, "selector": selector}), labels)
    accuracies = [found[f"student_{i}_accuracy"] for i in range(1, n + 1)]
    assert max(accuracies) <= found["oracle_accuracy"] <= sum(accuracies) + 1e-9
    assert sum(found[f"student_{i}_chosen"] for i in range(1, n + 1)) == pytest.approx(1)
    assert len(found) == 2 * n + 1


def test_a_student_never_chosen_is_counted() -> None:
    features = {"students": sure([[0, 1]] * 4, 3), "selector": torch.tensor([[1.0, 0.0]] * 4)}
    assert diagnose(Output(torch.rand(4, 3), features), LABELS)["student_2_chosen"] == 0


def test_subclasses_in_bits() -> None:
    # Each image is sure of one of four subclasses, all four are used alike.
    logits = 1e3 * torch.eye(4)
    found = diagnose(Output(torch.rand(4, 2), {"subclasses": logits}), LABELS)
    assert found == {"prediction_entropy": pytest.approx(0, abs=1e-6), "utilisation_entropy": pytest.approx(2)}
    logits = torch.randn(4, 6)
    found = diagnose(Output(torch.rand(4, 2), {"subclasses": logits}), LABELS)
    assert found["prediction_entropy"] == float(prediction_entropy(logits))
    assert found["utilisation_entropy"] == float(utilisation_entropy(logits))
