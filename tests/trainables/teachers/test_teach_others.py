"""Assistants, ensembles, untrained teachers and those with subclasses: each taught once, each recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.distillation_data import TeacherOutputs, requested_outputs
from trainables.evaluate import respond
from trainables.fit import Epoch
from trainables.models import build
from trainables.teachers.teach import Answering, Begun, TeacherResult, key, teach

Make = Callable[..., Recipe]
TRAIN = {"epochs": 2, "batch_size": 64, "lr": 0.01, "precision": "float32"}
SMALL = {"model": {"name": "mlp", "hidden": [16]}, "train": TRAIN}
LARGE = {"model": {"name": "mlp", "hidden": [32]}, "train": TRAIN}
KD = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}


@pytest.fixture
def small(digits: Dataset) -> Dataset:
    return digits.take(200, 50, 50)


def heard(recipe: Recipe, data: Dataset) -> tuple[list[Begun], list[Epoch], list[TeacherResult]]:
    items = list(teach(recipe, data, requested_outputs([recipe])))
    return (
        [each for each in items if isinstance(each, Begun)],
        [each for each in items if isinstance(each, Epoch)],
        [each for each in items if isinstance(each, TeacherResult)],
    )


def answers(taught: TeacherResult) -> TeacherOutputs:
    assert taught.lesson.teacher is not None
    return taught.lesson.teacher


def test_an_assistant_learns_from_its_own_teacher(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    wanting = recipe(None, KD, teacher={**SMALL, "method": KD, "teacher": LARGE})
    begun, epochs, (second,) = heard(wanting, small)
    assert begun == [Begun("mlp", 2), Begun("mlp", 2)] and len(epochs) == 4
    (first,) = second.record["behind"]
    assert first["key"] == key(recipe(None, KD, teacher=LARGE), small)
    assert second.record["parameters"] < first["parameters"]
    alone = heard(recipe(None, KD, teacher=SMALL), small)[2][0]
    assert not np.array_equal(answers(second).train, answers(alone).train)  # it did learn from it
    (again,) = heard(wanting, small)[2]
    assert again.record["cached"] and again.record["behind"] == [first]


def test_another_teacher_of_an_assistant_is_another_assistant(recipe: Make, small: Dataset) -> None:
    one, other = ({**SMALL, "method": KD, "teacher": LARGE | {"seed": seed}} for seed in (0, 1))
    assert key(recipe(None, KD, teacher=one), small) != key(recipe(None, KD, teacher=other), small)


def test_what_takes_a_teacher_long_is_said_before_it_does(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    wanting = recipe(None, KD, teacher={"ensemble": [SMALL, LARGE]}, shift=1)
    first, again = (list(teach(wanting, small, requested_outputs([wanting]))) for _ in range(2))
    assert [each for each in first if isinstance(each, Answering)] == 2 * [Answering("mlp", 9 * 200)]
    assert len(again) == 1


@pytest.mark.parametrize("shift", [0, 1])
def test_an_ensemble_is_the_mean_of_probabilities(kd_cache: Path, recipe: Make, small: Dataset, shift: int) -> None:
    wanting = recipe(None, KD, teacher={"ensemble": [SMALL, SMALL, LARGE]}, shift=shift)
    (together,) = heard(wanting, small)[2]
    members = [heard(recipe(None, KD, teacher=each, shift=shift), small)[2][0] for each in wanting.teacher.members()]
    assert [each["seed"] for each in together.record["behind"]] == [0, 1, 2]
    assert [each["key"] for each in together.record["behind"]] == [each.record["key"] for each in members]
    for split in ("train", "val", "test"):
        parts = [torch.from_numpy(getattr(answers(each), split)).softmax(-1) for each in members]
        found = torch.from_numpy(getattr(answers(together), split)).softmax(-1)
        torch.testing.assert_close(found, torch.stack(parts).mean(0))
    assert together.record["parameters"] == sum(each.record["parameters"] for each in members)
    assert together.record["epochs"] == 6 and together.record["key"] not in {m.record["key"] for m in members}
    if shift:
        parts = [torch.from_numpy(answers(each).views[1]).softmax(-1) for each in members]
        torch.testing.assert_close(torch.from_numpy(answers(together).views[1]).softmax(-1), torch.stack(parts).mean(0))


def test_an_untrained_teacher_is_as_it_was_initialised(kd_cache: Path, recipe: Make, small: Dataset) -> None:
    wanting = recipe(None, KD, teacher={**SMALL, "train": TRAIN | {"epochs": 0}})
    begun, epochs, (taught,) = heard(wanting, small)
    model = build(wanting.teacher_recipe().network, small.shape, 10, wanting.teacher_recipe().seed)
    assert begun == epochs == [] and taught.record["epochs"] == 0
    truth = respond(model, torch.from_numpy(small.train.images)).logits
    torch.testing.assert_close(torch.from_numpy(answers(taught).train), truth)


@pytest.mark.parametrize("subclasses", [2, [1, 2, 3, 1, 1, 1, 1, 1, 1, 4]])
def test_subclasses_are_answered_and_measured(kd_cache: Path, recipe: Make, small: Dataset, subclasses: Any) -> None:
    teacher = {**SMALL, "model": SMALL["model"] | {"subclasses": subclasses}}
    teacher["method"] = {"name": "contrast", "beta": 0.5, "temperature": 1.0}
    wanting = recipe(None, {"name": "subclass", "alpha": 0.5, "temperature": 4.0}, teacher=teacher)
    count = 20 if subclasses == 2 else sum(subclasses)
    (taught,) = heard(wanting, small)[2]
    assert answers(taught).train.shape == (200, 10)
    assert answers(taught).features["subclasses"].shape == (200, count)
    assert {"prediction_entropy", "utilisation_entropy"} <= taught.record["diagnosis"].keys()
    assert wanting.network.subclasses == subclasses and wanting.baseline().network.subclasses is None


@pytest.mark.parametrize("file", ["layer-relu1", "shifted-1"])
def test_what_was_altered_is_made_again(kd_cache: Path, recipe: Make, small: Dataset, file: str) -> None:
    hint = {"name": "hint", "alpha": 0.5, "guided": "relu1", "hint": "relu1"}
    wanting = recipe(None, hint, teacher=SMALL, shift=1)
    before = answers(heard(wanting, small)[2][0])
    views, relu = np.array(before.views[1]), np.array(before.features["relu1"])  # mapped from the file spoilt below
    (path,) = kd_cache.glob(f"*/{file}.safetensors")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    after = answers(heard(wanting, small)[2][0])
    assert np.array_equal(views, after.views[1])
    assert np.array_equal(relu, after.features["relu1"])
    assert path.read_bytes() != bytes(content)
