"""Distillation improves students: three paired seeds, and a margin chosen before the first run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from spaces.metric_functions import accuracy
from spaces.recipe import Recipe
from trainables.data import load_dataset
from trainables.device import to_tensor
from trainables.distillation_data import DistillationData
from trainables.evaluate import predict_logits
from trainables.fit import EpochResult
from trainables.models import build_network
from trainables.teachers.train import TeacherResult, train_teacher

SEEDS = (10, 11, 12)
MARGIN = 0.002  # 0.2 points of test accuracy; 3,000 training images and 1,500 test images
# As Hinton et al. 2015, sec. 3: only the teacher sees shifted images and has dropout.
TREE: dict[str, Any] = {
    "data": {"name": "mnist5k"},
    "teacher": {
        "model": {"name": "mlp", "hidden": [800], "dropout": 0.3},
        "train": {"epochs": 10, "batch_size": 64, "shift": 2},
    },
    "student": {"model": {"name": "mlp", "hidden": [200, 200]}},
    "method": {"name": "hinton", "alpha": 0.5, "temperature": 4},
    "train": {"epochs": 6, "batch_size": 64},
}


def test_distilled_students_beat_the_baseline(kd_cache: Path, run: Callable[..., list[EpochResult]]) -> None:
    data = load_dataset("mnist5k")
    *_, teacher_result = train_teacher(Recipe.model_validate(TREE), data)
    assert isinstance(teacher_result, TeacherResult)
    images, labels = (to_tensor(array, torch.device("cpu")) for array in data.test)

    def test_accuracy(recipe: Recipe) -> float:
        student = build_network(recipe.student.model, data.shape, 10)
        student.load_state_dict(run(recipe, DistillationData(data, teacher_result.outputs))[-1].state.weights)
        return accuracy(predict_logits(student, images), labels)

    distilled = [Recipe.model_validate(TREE | {"seed": seed}) for seed in SEEDS]
    gains = [test_accuracy(recipe) - test_accuracy(recipe.baseline()) for recipe in distilled]
    assert sum(gains) / len(gains) > MARGIN, gains
    assert teacher_result.record["test_accuracy"] == pytest.approx(0.955, abs=0.015)
