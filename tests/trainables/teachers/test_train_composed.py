"""Assistants, ensembles, untrained teachers, and teachers with subclasses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.distillation_data import requested_outputs
from trainables.evaluate import predict_output
from trainables.fit import EpochResult
from trainables.models import build_network
from trainables.teachers.key import teacher_key
from trainables.teachers.train import OutputsStarted, TeacherResult, TrainingStarted, train_teacher

Make = Callable[..., Recipe]
TRAIN = {"epochs": 2, "batch_size": 64, "lr": 0.01, "precision": "float32"}
SMALL = {"model": {"name": "mlp", "hidden": [16]}, "train": TRAIN}
LARGE = {"model": {"name": "mlp", "hidden": [32]}, "train": TRAIN}
KD = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}


@pytest.fixture
def small(digits: Dataset) -> Dataset:
    return digits.take(200, 50, 50)


def train(recipe: Recipe, data: Dataset) -> tuple[list[TrainingStarted], list[EpochResult], TeacherResult]:
    """Train with all outputs that the recipe requests."""
    *events, result = train_teacher(recipe, data, requested_outputs([recipe]))
    assert isinstance(result, TeacherResult)
    started = [event for event in events if isinstance(event, TrainingStarted)]
    return started, [event for event in events if isinstance(event, EpochResult)], result


def test_an_assistant_is_trained_from_its_own_teacher(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    student = recipe(None, KD, teacher={**SMALL, "method": KD, "teacher": LARGE})
    started, epochs, assistant = train(student, small)
    assert started == [TrainingStarted("mlp", 2), TrainingStarted("mlp", 2)] and len(epochs) == 4
    (teacher,) = assistant.record["behind"]
    assert teacher["key"] == teacher_key(recipe(None, KD, teacher=LARGE), small)
    assert assistant.record["parameters"] < teacher["parameters"]
    baseline = train(recipe(None, KD, teacher=SMALL), small)[2]
    assert not np.array_equal(assistant.outputs.train, baseline.outputs.train)
    cached = train(student, small)[2]
    assert cached.record["cached"] and cached.record["behind"] == [teacher]


def test_computing_views_is_announced(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    student = recipe(None, KD, teacher={"ensemble": [SMALL, LARGE]}, shift=1)
    first, second = (list(train_teacher(student, small, requested_outputs([student]))) for _ in range(2))
    assert [event for event in first if isinstance(event, OutputsStarted)] == 2 * [OutputsStarted("mlp", 9 * 200)]
    assert len(second) == 1


@pytest.mark.parametrize("shift", [0, 1])
def test_an_ensemble_averages_probabilities(kd_cache: Path, recipe: Make, small: Dataset, shift: int) -> None:
    student = recipe(None, KD, teacher={"ensemble": [SMALL, SMALL, LARGE]}, shift=shift)
    ensemble = train(student, small)[2]
    teachers = student.teacher.members()
    members = [train(recipe(None, KD, teacher=teacher, shift=shift), small)[2] for teacher in teachers]
    behind = ensemble.record["behind"]
    assert [record["seed"] for record in behind] == [0, 1, 2]
    assert [record["key"] for record in behind] == [member.record["key"] for member in members]
    outputs = [result.outputs for result in (ensemble, *members)]
    for split in ("train", "val", "test"):
        averaged, *parts = (torch.from_numpy(getattr(output, split)).softmax(-1) for output in outputs)
        torch.testing.assert_close(averaged, torch.stack(parts).mean(0))
    assert ensemble.record["parameters"] == sum(member.record["parameters"] for member in members)
    assert ensemble.record["epochs"] == 6
    assert ensemble.record["key"] not in {member.record["key"] for member in members}
    if shift:
        averaged, *parts = (torch.from_numpy(np.array(output.views[1])).softmax(-1) for output in outputs)
        torch.testing.assert_close(averaged, torch.stack(parts).mean(0))


def test_an_untrained_teacher_has_its_initial_weights(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    student = recipe(None, KD, teacher={**SMALL, "train": TRAIN | {"epochs": 0}})
    started, epochs, result = train(student, small)
    own = student.teacher_recipe()
    model = build_network(own.network, small.shape, 10, own.seed)
    assert started == epochs == [] and result.record["epochs"] == 0
    expected = predict_output(model, torch.from_numpy(small.train.images)).logits
    torch.testing.assert_close(torch.from_numpy(result.outputs.train), expected)


@pytest.mark.parametrize("subclasses", [2, [1, 2, 3, 1, 1, 1, 1, 1, 1, 4]])
def test_subclasses_are_cached_and_measured(kd_cache: Path, recipe: Make, small: Dataset, subclasses: Any) -> None:
    teacher = {**SMALL, "model": SMALL["model"] | {"subclasses": subclasses}}
    teacher["method"] = {"name": "contrast", "beta": 0.5, "temperature": 1.0}
    student = recipe(None, {"name": "subclass", "alpha": 0.5, "temperature": 4.0}, teacher=teacher)
    count = 20 if subclasses == 2 else sum(subclasses)
    result = train(student, small)[2]
    assert result.outputs.train.shape == (200, 10)
    assert result.outputs.features["subclasses"].shape == (200, count)
    assert {"prediction_entropy", "utilisation_entropy"} <= result.record["diagnosis"].keys()
    assert student.network.subclasses == subclasses and student.baseline().network.subclasses is None


@pytest.mark.parametrize("file", ["layer-relu1", "shifted-1"])
def test_a_damaged_array_is_computed_again(kd_cache: Path, recipe: Make, small: Dataset, file: str) -> None:
    hint = {"name": "hint", "alpha": 0.5, "guided": "relu1", "hint": "relu1"}
    student = recipe(None, hint, teacher=SMALL, shift=1)
    before = train(student, small)[2].outputs
    views, layer = (
        np.array(before.views[1]),
        np.array(before.features["relu1"]),
    )  # copies: the mapped file is damaged below
    (path,) = kd_cache.glob(f"*/{file}.npy")
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)
    after = train(student, small)[2].outputs
    assert np.array_equal(views, after.views[1]) and np.array_equal(layer, after.features["relu1"])
    assert path.read_bytes() != bytes(content)
