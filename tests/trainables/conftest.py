"""Small recipes on scikit-learn's digits, and the data they are trained on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # the tests of data/ import no torch
    from spaces.recipe import Recipe
    from trainables.data import Dataset
    from trainables.distillation_data import DistillationData
    from trainables.fit import EpochResult


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """One torch thread: equal trainings are then equal bit for bit."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(1)
    yield
    if torch:
        torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """1,097 training, 300 validation and 400 test images of 8 by 8 pixels; read-only, as in Ray."""
    from trainables.data import load_dataset

    data = load_dataset("digits")
    for split in (data.train, data.val, data.test):
        for array in split:
            array.setflags(write=False)
    return data


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    """Return a recipe on the digits: three epochs of a small MLP, with changed parts."""
    from spaces.recipe import Recipe

    def made(model: dict[str, Any] | None = None, method: dict[str, Any] | None = None, **train: Any) -> Recipe:
        teacher = train.pop("teacher", None)
        seed = train.pop("seed", 0)
        tree = {
            "data": {"name": "digits"},
            "teacher": teacher,
            "student": {"model": model or {"name": "mlp", "hidden": [16], "dropout": 0.2}},
            "method": method or {"name": "none"},
            "train": {"epochs": 3, "batch_size": 64, "lr": 0.01, "precision": "float32"} | train,
            "seed": seed,
        }
        return Recipe.model_validate(tree)

    return made


@pytest.fixture(scope="session")
def distilled_recipe(recipe: Callable[..., Recipe]) -> Callable[..., Recipe]:
    """Return a recipe with a small teacher and changed parts of it."""
    model = {"name": "mlp", "hidden": [32], "dropout": 0.2}
    train = {"epochs": 3, "batch_size": 64, "lr": 0.01, "precision": "float32"}
    method = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}
    return lambda **changes: recipe(None, method, teacher={"model": model, "train": train} | changes)


@pytest.fixture(scope="session")
def labels(digits: Dataset) -> DistillationData:
    """Data without a teacher."""
    from trainables.distillation_data import DistillationData

    return DistillationData(digits, None)


@pytest.fixture(scope="session")
def distillation_data(digits: Dataset) -> DistillationData:
    """Data of a teacher that predicts the class after the right one."""
    import numpy as np

    from trainables.distillation_data import DistillationData, TeacherOutputs

    logits = [5 * np.eye(10, dtype=np.float32)[(split.labels + 1) % 10] for split in digits[:3]]
    return DistillationData(digits, TeacherOutputs(*logits))


@pytest.fixture(scope="session")
def run() -> Callable[..., list[EpochResult]]:
    """Return the results of all epochs, with copied states and without seconds."""
    from trainables.fit import TrainingState, fit

    def run_training(
        recipe: Recipe, distillation_data: DistillationData, start: TrainingState | None = None
    ) -> list[EpochResult]:
        results = []
        for result in fit(recipe, distillation_data, start=start):
            parts = ({name: value.clone() for name, value in part.items()} for part in result.state[2:])
            state = TrainingState(result.epoch, 0.0, *parts)
            results.append(result._replace(epoch_seconds=0.0, state=state))
        return results

    return run_training


@pytest.fixture(scope="session")
def same() -> Callable[[list[EpochResult], list[EpochResult]], bool]:
    """Compare two trainings bit for bit: rows, weights, optimizer state and the method's module."""
    import torch

    def equal(first: list[EpochResult], second: list[EpochResult]) -> bool:
        if [result[:-1] for result in first] != [result[:-1] for result in second]:
            return False
        pairs = ((a.state[i], b.state[i]) for a, b in zip(first, second, strict=True) for i in (2, 3, 4))
        return all(a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a) for a, b in pairs)

    return equal


@pytest.fixture
def kd_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of cached teachers during a test."""
    monkeypatch.setenv("KD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
