"""Spaces on the digits that train in a second, rows written by hand, and caches of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from results import records
from search.students.spec import StudentSpec, opening
from spaces.space import Space, load
from trainables import data as datasets
from trainables.data import Dataset
from trainables.validate import judge

TINY: dict[str, Any] = {
    "data": {"name": "digits"},
    "teacher": {"model": {"name": "mlp", "hidden": [16]}, "train": {"epochs": 2}},
    "student": {"model": {"name": "mlp", "hidden": [8]}},
    "method": {"name": "hinton", "alpha": {"choice": [0, 0.5]}, "temperature": {"choice": [1, 4]}},
    "train": {"epochs": 3, "batch_size": 64},
}


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """A folder for all processes of this test run."""
    root = tmp_path_factory.getbasetemp()
    return root.parent if root.name.startswith("popen-") else root  # pytest-xdist gives each process its own


@pytest.fixture(scope="session")
def places(tmp_path_factory) -> Path:
    """A folder for the caches of this process's tests, which look at what is new in them."""
    return tmp_path_factory.getbasetemp()


@pytest.fixture(autouse=True)
def own_places(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Teachers are cached among the tests, and nobody's data sets are found."""
    monkeypatch.setenv("KD_CACHE", str(places / "teachers"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(places / "nothing"))
    monkeypatch.delenv("KD_DATA", raising=False)


def write_space(path: Path, **parts: Any) -> Path:
    """A space file: the tiny one with these parts in place of its own, None removes one."""
    tree = {name: part for name, part in {**TINY, **parts}.items() if part is not None}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return path


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    return write_space


@pytest.fixture
def space(tmp_path: Path) -> Callable[..., Space]:
    """A loaded space: the tiny one with these parts in place of its own."""
    return lambda **parts: load(write_space(tmp_path / "tiny.yaml", **parts), judge)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return datasets.load("digits")


@pytest.fixture
def trained(tmp_path: Path) -> Callable[..., StudentSpec]:
    """Writes the rows of a student as if it had been trained: one validation accuracy per epoch, and how it ended."""
    clock = iter(range(1_000_000))

    def rows(
        student: StudentSpec, accuracies: Sequence[float], status: str | None = "finished", **more: Any
    ) -> StudentSpec:
        def append(row: dict[str, Any]) -> None:
            records.append(tmp_path / "run", student.key, {**row, "time": float(next(clock))})

        append({**opening(student), "teacher": None, "parameters": 610, "macs": 592})
        for epoch, accuracy in enumerate(accuracies, 1):
            scores = {"train_loss": 1.0, "val_loss": 1 - accuracy, "val_accuracy": accuracy}
            append({"kind": "epoch", "epoch": epoch, **scores, "lr": 0.001, "seconds": 0.1})
        if status:
            append({"kind": "end", "status": status, "reason": None, "test_accuracy": None, **more})
        return student

    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The experiment folder that `trained` writes to."""
    return tmp_path / "run"
