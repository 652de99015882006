"""The key of a teacher changes with everything its outputs depend on, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from spaces.recipe import Recipe
from trainables.data import Dataset
from trainables.teachers.key import teacher_key

MODEL = {"name": "mlp", "hidden": [32], "dropout": 0.2}
TRAIN = {"epochs": 3, "batch_size": 64, "lr": 0.01, "precision": "float32"}
TEACHER = {"model": MODEL, "train": TRAIN}
KD = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}

Make = Callable[..., Recipe]


def test_students_share_a_teacher(recipe: Make, distilled_recipe: Make, digits: Dataset) -> None:
    method = {"name": "hinton", "alpha": 1.0, "temperature": 9.0}
    student = recipe({"name": "cnn"}, method, teacher=TEACHER, seed=7, lr=0.5)
    assert teacher_key(student, digits) == teacher_key(distilled_recipe(), digits)


@pytest.mark.parametrize(
    "changes",
    [{"seed": 1}, {"model": MODEL | {"dropout": 0.1}}, {"train": TRAIN | {"lr": 0.02}}],
    ids=["seed", "model", "train"],
)
def test_recipe(distilled_recipe: Make, digits: Dataset, changes: dict[str, Any]) -> None:
    assert teacher_key(distilled_recipe(**changes), digits) != teacher_key(distilled_recipe(), digits)


def test_data(distilled_recipe: Make, digits: Dataset) -> None:
    labels = digits.test.labels.copy()
    labels[-1] = (labels[-1] + 1) % 10
    changed = digits._replace(test=digits.test._replace(labels=labels))
    assert teacher_key(distilled_recipe(), changed) != teacher_key(distilled_recipe(), digits)


def test_training_version(distilled_recipe: Make, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    before = teacher_key(distilled_recipe(), digits)
    monkeypatch.setattr("trainables.teachers.key.TRAINING_VERSION", 0)
    assert teacher_key(distilled_recipe(), digits) != before


def test_version_of_a_part_concerns_one_network_or_method(
    distilled_recipe: Make, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble = {"model": {"name": "ensemble", "members": 2, "of": {"name": "mlp", "hidden": [4]}}}
    before = teacher_key(distilled_recipe(), digits), teacher_key(distilled_recipe(**ensemble), digits)
    monkeypatch.setattr("trainables.teachers.key.PART_VERSIONS", {"ensemble": 99})
    assert (
        teacher_key(distilled_recipe(), digits) == before[0]
        and teacher_key(distilled_recipe(**ensemble), digits) != before[1]
    )


def test_plugins(distilled_recipe: Make, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [teacher_key(distilled_recipe(), digits)]
    for source in ("A = 1", "A = 2"):
        monkeypatch.setattr("trainables.plugin._loaded_sources", {"mine.py": source})
        keys.append(teacher_key(distilled_recipe(), digits))
    assert len(set(keys)) == 3


def test_teacher_of_an_assistant(recipe: Make, digits: Dataset) -> None:
    assistants = [TEACHER | {"method": KD, "teacher": TEACHER | {"seed": seed}} for seed in (0, 1)]
    keys = {teacher_key(recipe(None, KD, teacher=assistant), digits) for assistant in assistants}
    assert len(keys) == 2


def test_a_recipe_without_a_teacher_is_refused(recipe: Make, digits: Dataset) -> None:
    with pytest.raises(ValueError, match="a recipe without a teacher"):
        teacher_key(recipe(), digits)
