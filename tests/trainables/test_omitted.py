"""Bias correction of omitted classes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.device import to_tensor
from trainables.distillation_data import DistillationData
from trainables.evaluate import predict_logits
from trainables.fit import EpochResult
from trainables.models import build_network
from trainables.omitted import best_bias, correct_biases

Make = Callable[..., Recipe]
CPU = torch.device("cpu")


def count_correct(logits: torch.Tensor, labels: torch.Tensor, omitted: list[int], bias: float) -> int:
    moved = logits.clone()
    moved[:, omitted] += bias
    return int((moved.argmax(-1) == labels).sum())


@given(seed=st.integers(0, 999), omitted=st.sampled_from([[0], [3], [1, 2], [0, 1, 3, 4]]))
def test_no_other_bias_is_better(seed: int, omitted: list[int]) -> None:
    random = torch.Generator().manual_seed(seed)
    logits, labels = torch.randn(40, 5, generator=random), torch.randint(5, (40,), generator=random)
    correct = count_correct(logits, labels, omitted, best_bias(logits, labels, omitted))
    moved = logits.repeat(800, 1, 1)  # as count_correct, with all biases at once
    moved[..., omitted] += torch.linspace(-8, 8, 800)[:, None, None]
    assert correct >= (moved.argmax(-1) == labels).sum(-1).max()


def test_a_bias_by_hand() -> None:
    # Class 1 is below by 2 and by 4, and correctly below by 5: a bias between 4 and 5 corrects all.
    logits, labels = torch.tensor([[2.0, 0.0], [4.0, 0.0], [5.0, 0.0]]), torch.tensor([1, 1, 0])
    assert best_bias(logits, labels, [1]) == pytest.approx(4.5)


def test_equal_margins_are_no_interval() -> None:
    logits, labels = torch.tensor([[1.0, 0.0], [1.0, 0.0], [3.0, 0.0]]), torch.tensor([1, 0, 0])
    assert count_correct(logits, labels, [1], best_bias(logits, labels, [1])) == 2


@pytest.mark.parametrize("model", [{"name": "mlp", "hidden": [16]}, {"name": "cnn"}])
def test_the_last_layer_is_corrected(recipe: Make, digits: Dataset, model: dict) -> None:
    network = build_network(recipe(model).student.model, digits.shape, 10)
    images, labels = (to_tensor(array, CPU) for array in digits.val)
    before = predict_logits(network, images)
    correct_biases(network, images, labels, [3, 7])
    moved = predict_logits(network, images) - before
    bias = best_bias(before, labels, [3, 7])
    torch.testing.assert_close(moved[:, [3, 7]], torch.full((300, 2), bias), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(moved[:, [0, 1, 2, 4, 5, 6, 8, 9]], torch.zeros(300, 8))


@pytest.mark.parametrize(
    "model",
    [
        {"name": "mlp", "hidden": [16], "subclasses": 2},
        {"name": "ensemble", "members": 2, "of": {"name": "mlp", "hidden": [16]}},
        {"name": "routed", "students": [{"name": "mlp", "hidden": [16]}] * 10},
    ],
)
def test_a_network_with_another_end_is_refused(recipe: Make, digits: Dataset, model: dict) -> None:
    network = build_network(recipe(model).student.model, digits.shape, 10)
    with pytest.raises(ValueError, match="does not end in a linear layer"):
        correct_biases(network, *(to_tensor(array, CPU) for array in digits.val), [3])


def test_a_student_gets_its_missing_class_back(
    recipe: Make, run: Callable[..., list[EpochResult]], digits: Dataset, distillation_data: DistillationData
) -> None:
    plain, corrected = (
        run(
            recipe({"name": "mlp", "hidden": [32]}, omit={"classes": [3], "correct_bias": flag}),
            DistillationData(digits, None),
        )
        for flag in (False, True)
    )
    assert plain[:-1] != [] and [e.val_accuracy for e in plain[:-1]] == [e.val_accuracy for e in corrected[:-1]]
    assert corrected[-1].val_accuracy >= plain[-1].val_accuracy
    moved = corrected[-1].state.weights["logits.bias"] - plain[-1].state.weights["logits.bias"]
    assert moved[3] > 0 and moved.count_nonzero() == 1
