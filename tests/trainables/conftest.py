"""Small recipes on scikit-learn's digits, and the data they are trained on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # the tests of data/ need no torch
    from spaces.recipe import Recipe
    from trainables.data import Dataset
    from trainables.distillation_data import DistillationData
    from trainables.fit import Epoch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one order, so that equal trainings are equal bit for bit, and little load beside other work."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(1)
    yield
    if torch:
        torch.set_num_threads(before)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    """1,097 training, 300 validation and 400 test images of 8 by 8 pixels; read-only, as Ray gives them."""
    from trainables.data import load

    data = load("digits")
    for split in (data.train, data.val, data.test):
        for array in split:
            array.setflags(write=False)
    return data


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    """Return a recipe on the digits: three epochs of a small mlp, with these parts changed."""
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
def pupil(recipe: Callable[..., Recipe]) -> Callable[..., Recipe]:
    """Return the recipe of a student of a small teacher with these parts changed."""
    model = {"name": "mlp", "hidden": [32], "dropout": 0.2}
    train = {"epochs": 3, "batch_size": 64, "lr": 0.01, "precision": "float32"}
    method = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}
    return lambda **changes: recipe(None, method, teacher={"model": model, "train": train} | changes)


@pytest.fixture(scope="session")
def labels(digits: Dataset) -> DistillationData:
    """Return a lesson of labels alone."""
    from trainables.distillation_data import DistillationData

    return DistillationData(digits, None)


@pytest.fixture(scope="session")
def lesson(digits: Dataset) -> DistillationData:
    """Return the lesson of a teacher that is rather sure of the class after the right one."""
    import numpy as np

    from trainables.distillation_data import DistillationData, TeacherOutputs

    answers = [5 * np.eye(10, dtype=np.float32)[(split.labels + 1) % 10] for split in digits[:3]]
    return DistillationData(digits, TeacherOutputs(*answers))


@pytest.fixture(scope="session")
def run() -> Callable[..., list[Epoch]]:
    """Return all epochs of a training, each with a copy of its state, and without the seconds it took."""
    from trainables.fit import State, fit

    def ran(recipe: Recipe, lesson: DistillationData, start: State | None = None) -> list[Epoch]:
        epochs = []
        for each in fit(recipe, lesson, start=start):
            weights, optimiser, regressor = ({k: v.clone() for k, v in part.items()} for part in each.state[2:])
            epochs.append(each._replace(seconds=0.0, state=State(each.epoch, 0.0, weights, optimiser, regressor)))
        return epochs

    return ran


@pytest.fixture(scope="session")
def same() -> Callable[[list[Epoch], list[Epoch]], bool]:
    """Return whether two trainings are equal bit for bit: rows, weights and the optimiser's state."""
    import torch

    def equal(some: list[Epoch], others: list[Epoch]) -> bool:
        if [each[:-1] for each in some] != [each[:-1] for each in others]:
            return False
        pairs = ((a.state[i], b.state[i]) for a, b in zip(some, others, strict=True) for i in (2, 3))
        return all(a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a) for a, b in pairs)

    return equal


@pytest.fixture
def kd_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which teachers are kept during a test."""
    monkeypatch.setenv("KD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
