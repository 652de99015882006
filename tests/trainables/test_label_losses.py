"""Losses on labels: values in numpy, and networks trained by each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.distillation_data import DistillationData
from trainables.fit import EpochResult
from trainables.label_losses import LABEL_LOSSES, squared_error
from trainables.packs.fit_pack import fit_pack
from trainables.validate import data_problems


def test_squared_error_in_numpy() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (5, 4))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([0, 3, 3, 1, 2])
    expected = ((probabilities - np.eye(4)[labels]) ** 2).sum(1)
    np.testing.assert_allclose(squared_error(torch.from_numpy(logits), torch.from_numpy(labels)), expected)


@pytest.mark.parametrize("name", LABEL_LOSSES)
def test_an_unlabeled_example_has_no_loss(name: str) -> None:
    logits = torch.randn(2, 3, requires_grad=True)
    losses = LABEL_LOSSES[name](logits, torch.tensor([-100, 1]))
    losses.sum().backward()
    assert losses[0] == 0 < losses[1] and logits.grad is not None and not logits.grad[0].any()


def test_training_by_each_loss(
    recipe: Callable[..., Recipe], run: Callable[..., list[EpochResult]], labels: DistillationData
) -> None:
    results = {loss: run(recipe(loss=loss), labels)[-1] for loss in (None, *LABEL_LOSSES)}
    assert results[None].train_loss == results["cross_entropy"].train_loss
    brier = results["mse"]
    assert brier.train_loss != results[None].train_loss and brier.val_accuracy > 0.8


def test_packs_are_trained_by_the_loss(
    recipe: Callable[..., Recipe], run: Callable[..., list[EpochResult]], labels: DistillationData
) -> None:
    students = [recipe(loss="mse", seed=seed) for seed in (0, 1)]
    (*_, packed), expected = fit_pack(students, labels), [run(student, labels)[-1] for student in students]
    losses = [packed[index].train_loss for index in (0, 1)]  # type: ignore[union-attr]
    assert losses == pytest.approx([result.train_loss for result in expected], rel=1e-4)


def test_a_routed_network_has_its_own_loss(recipe: Callable[..., Recipe], digits: Dataset) -> None:
    model = {"name": "routed", "students": [{"name": "mlp", "hidden": [4]}]}
    assert ("train.loss", "a routed network is trained by cross-entropy only; remove this key") in list(
        data_problems(recipe(model, loss="mse"), digits)
    )
