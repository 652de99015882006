"""Unlabeled training images: only the teacher's term is computed on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from spaces.recipe import Recipe
from trainables.batches import class_weights, epoch_batches, training_tensors, weighted_mean
from trainables.data import Dataset
from trainables.data.dataset import UNLABELED, Split
from trainables.data.groups import group_classes
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.fit import fit
from trainables.packs.fit_pack import fit_pack
from trainables.teachers.outputs import score_outputs
from trainables.validate import data_problems

Make = Callable[..., Recipe]


def unlabel(data: Dataset, count: int) -> Dataset:
    """Remove the labels of the last training images."""
    labels = data.train.labels.copy()
    labels[-count:] = UNLABELED
    return data._replace(train=Split(data.train.images, labels))


@pytest.fixture(scope="module")
def half(digits: Dataset) -> DistillationData:
    """200 labeled and 200 unlabeled images of the digits, and a teacher that is right for all."""
    small = digits.take(400, 100, 100)
    logits = [5 * np.eye(10, dtype=np.float32)[split.labels] for split in small[:3]]
    return DistillationData(unlabel(small, 200), TeacherOutputs(*logits))


def trained(recipe: Recipe, data: DistillationData) -> dict[str, torch.Tensor]:
    (*_, last) = fit(recipe, data)
    return {name: value.clone() for name, value in last.state.weights.items()}


def test_batches_mix_them_in_an_order_of_the_seed(half: DistillationData, distilled_recipe: Make) -> None:
    recipe = distilled_recipe()
    tensors = training_tensors(recipe, half, torch.device("cpu"))
    assert len(tensors.indices) == 400
    epochs = [list(epoch_batches(recipe, tensors, 1, 6)) for _ in range(2)]
    assert all(torch.equal(a.images, b.images) for a, b in zip(*epochs, strict=True))
    mixed = [(batch.labels == UNLABELED).float().mean().item() for batch in epochs[0]]
    assert all(0.2 < share < 0.8 for share in mixed)


def test_alpha_1_does_not_read_the_labels(half: DistillationData, digits: Dataset, recipe: Make) -> None:
    """So the student is that of the same images with labels, bit for bit."""
    method = {"name": "hinton", "alpha": 1.0, "temperature": 4.0}
    teacher = {"model": {"name": "mlp", "hidden": [8]}}
    student = recipe(None, method, teacher=teacher, epochs=2)
    labeled = half._replace(data=digits.take(400, 100, 100))
    first, second = trained(student, half), trained(student, labeled)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("name", ["none", "smoothing"])
def test_without_a_teacher_they_are_left_out(half: DistillationData, recipe: Make, name: str) -> None:
    """The baseline, a control and the teacher are trained on labels alone."""
    knobs, teacher = ({"alpha": 0.1}, {"model": {"name": "mlp"}}) if name == "smoothing" else ({}, None)
    student = recipe(None, {"name": name, **knobs}, teacher=teacher, epochs=2)
    data = half.data
    alone = data._replace(train=Split(data.train.images[:200], data.train.labels[:200]))
    given = DistillationData(data, None if name == "none" else half.teacher)
    assert half.teacher is not None
    expected = DistillationData(alone, given.teacher and half.teacher._replace(train=half.teacher.train[:200]))
    first, second = trained(student, given), trained(student, expected)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_pack_trains_the_same(half: DistillationData, recipe: Make) -> None:
    teacher = {"model": {"name": "mlp", "hidden": [8]}}
    students = [
        recipe(
            {"name": "mlp", "hidden": [16]},
            {"name": "hinton", "alpha": alpha, "temperature": 4.0},
            teacher=teacher,
            class_weights="balanced",
        )
        for alpha in (0.3, 0.9)
    ]
    (*_, last) = fit_pack(students, half)
    for index, student in enumerate(students):
        weights = trained(student, half)
        stacked: Any = last[index]
        assert all(torch.allclose(stacked.state.weights[name], weights[name], atol=1e-4) for name in weights)


def test_class_weights_count_labels_only(recipe: Make) -> None:
    train = recipe(class_weights="balanced").train
    labels = torch.tensor([0, 0, 0, 1, UNLABELED, UNLABELED])
    weights = class_weights(train, labels, 2)
    assert weights is not None and torch.equal(weights, class_weights(train, labels[:4], 2))
    losses = torch.arange(6.0)
    expected = (losses * torch.tensor([2 / 3, 2 / 3, 2 / 3, 2, 1, 1])).sum() / 6
    assert torch.allclose(weighted_mean(losses, labels, weights), expected)


@pytest.mark.parametrize("name", ["decoupled", "routed"])
def test_a_method_with_labels_in_its_teachers_term_refuses_them(
    half: DistillationData, digits: Dataset, recipe: Make, name: str
) -> None:
    method = {"name": name, "alpha": 0.5, "temperature": 4.0}
    student = recipe(None, method, teacher={"model": {"name": "mlp", "hidden": [8]}})
    message = f"{name}: its teacher's term reads the labels, and 200 training images have none"
    assert message in dict(data_problems(student, half.data)).get("method.name", "")
    assert "method.name" not in dict(data_problems(student, digits))


def test_identity_scores_and_groups_know_them(half: DistillationData, digits: Dataset) -> None:
    data, outputs = half
    assert outputs is not None
    assert data.fingerprint() != digits.take(400, 100, 100).fingerprint()
    assert score_outputs(outputs, data)["train_accuracy"] == 1.0
    grouped = group_classes(data, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]])
    assert (grouped.train.labels == UNLABELED).sum() == 200 and set(grouped.train.labeled) == {0, 1}
    assert (data.take(40, 10, 10).train.labels == UNLABELED).any()
