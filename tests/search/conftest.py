"""Small spaces on the digits, rows written by hand, and separate caches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from results import records
from search.students.spec import StudentSpec, first_row
from spaces.space import Space, load_space
from trainables import data as datasets
from trainables.data import Dataset
from trainables.validate import recipe_problems

TINY: dict[str, Any] = {
    "data": {"name": "digits"},
    "teacher": {"model": {"name": "mlp", "hidden": [16]}, "train": {"epochs": 2}},
    "student": {"model": {"name": "mlp", "hidden": [8]}},
    "method": {"name": "hinton", "alpha": {"choice": [0, 0.5]}, "temperature": {"choice": [1, 4]}},
    "train": {"epochs": 3, "batch_size": 64},
}


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """Return a folder for all processes of this test run."""
    root = tmp_path_factory.getbasetemp()
    return root.parent if root.name.startswith("popen-") else root  # pytest-xdist gives each process its own


@pytest.fixture(scope="session")
def places(tmp_path_factory) -> Path:
    """Return a folder for the caches of this process."""
    return tmp_path_factory.getbasetemp()


@pytest.fixture(autouse=True)
def own_places(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache teachers in the test folder, and hide the data sets of this machine."""
    monkeypatch.setenv("KD_CACHE", str(places / "teachers"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(places / "nothing"))
    monkeypatch.delenv("KD_DATA", raising=False)


def write_space(path: Path, **parts: Any) -> Path:
    """Write the tiny space with some parts replaced; None removes a part."""
    tree = {name: part for name, part in {**TINY, **parts}.items() if part is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return path


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    return write_space


@pytest.fixture
def space(tmp_path: Path) -> Callable[..., Space]:
    """Return a function that loads the tiny space with some parts replaced."""
    return lambda **parts: load_space(write_space(tmp_path / "tiny.yaml", **parts), recipe_problems)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return datasets.load_dataset("digits")


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., StudentSpec]:
    """Return a function that writes the rows of a student: one validation accuracy per epoch, and its status."""
    clock = iter(range(1_000_000))

    def rows(
        student: StudentSpec, accuracies: Sequence[float], status: str | None = "finished", **more: Any
    ) -> StudentSpec:
        def append(row: dict[str, Any]) -> None:
            records.append_row(tmp_path / "run", student.key, {**row, "time": float(next(clock))})

        append({**first_row(student), "teacher": None, "parameters": 610, "macs": 592})
        for epoch, accuracy in enumerate(accuracies, 1):
            scores = {"train_loss": 1.0, "val_loss": 1 - accuracy, "val_accuracy": accuracy}
            append({"kind": "epoch", "epoch": epoch, **scores, "lr": 0.001, "seconds": 0.1})
        if status:
            append({"kind": "end", "status": status, "reason": None, "test_accuracy": None, **more})
        return student

    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the experiment folder of `trained`."""
    return tmp_path / "run"
