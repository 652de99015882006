"""A small experiment is trained for real, without Ray, and its best student exported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from results import leaderboard, records, students
from results.export import export
from spaces import space
from spaces.recipe import Recipe
from trainables import data as datasets
from trainables import plugin
from trainables.cost import cost
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.evaluate import agreement, predict, score
from trainables.fit import fit
from trainables.models import build
from trainables.weights import tensor_file

ROOT = Path(__file__).parents[3]
SPACE = """\
name: tiny
data: {{name: digits}}
teacher: {{model: {{name: mlp, hidden: [32]}}, train: {{epochs: 2, batch_size: 64}}}}
student: {{model: {student}}}
method: {{name: hinton, alpha: {{choice: [0.5, 1]}}, temperature: 4}}
train: {{epochs: 2, batch_size: 64, precision: float32}}
seeds: [0, 1]
"""
MLP = "{name: mlp, hidden: [16]}"


def train_experiment(
    folder: Path, student: str = MLP, data: Dataset | None = None, plugins: dict[str, str] | None = None
) -> Path:
    """An experiment of four students and two baselines, with everything that search.run would leave."""
    data = data or datasets.load("digits")
    records.replace(records.space_file(folder), SPACE.format(student=student))
    searched = space.load(records.space_file(folder))
    records.save_environment(folder, environment(data, plugins or {}))
    taught = searched.fill(searched.cells()[0], 0).teacher_recipe()
    teacher = last(taught, DistillationData(data, None))
    answers = TeacherOutputs(*(predict(teacher, torch.from_numpy(split.images)).numpy() for split in data[:3]))
    accuracy = score(torch.from_numpy(answers.test), torch.from_numpy(data.test.labels)).accuracy
    scores = {"val_accuracy": 0.9, "test_accuracy": accuracy, **cost(teacher, data.shape)._asdict()}
    records.save_teacher(folder, {"key": "t", "values": {}, "seed": 0, "epochs": 2, "train_seconds": 1.0, **scores})
    for seed in searched.seeds:
        filled = [(values, searched.fill(values, seed)) for values in searched.cells()]
        for values, recipe in [({}, filled[0][1].baseline()), *filled]:
            record(folder, values, recipe, DistillationData(data, answers if recipe.teacher else None))
    return folder


def environment(data: Dataset, plugins: dict[str, str]) -> dict:
    about = {"name": data.name, **data.sizes, "classes": list(data.classes), "source": data.source, "split": data.split}
    return {
        **{"command": "python -m search.run tiny.yaml", "started": "2026-01-02T03:04:05", "device": "a processor"},
        **{"cores": 2, "versions": {"torch": torch.__version__}, "data": {**about, "shape": list(data.shape)}},
        **{"loss": "some loss", "precision": "float32", "plugins": plugins, "wall_seconds": 1.0},
    }


def last(recipe: Recipe, lesson: DistillationData) -> torch.nn.Module:
    """The network that a recipe trains."""
    epochs = list(fit(recipe, lesson))
    model = build(recipe.student.model, lesson.data.shape, len(lesson.data.classes))
    model.load_state_dict(epochs[-1].state.weights)
    return model


def record(folder: Path, values: dict, recipe: Recipe, lesson: DistillationData) -> None:
    """Train one student and write its rows and weights, as search.trial does."""
    key, data = recipe.key(), lesson.data
    model = build(recipe.student.model, data.shape, len(data.classes))
    opening = {"stage": "explore" if recipe.teacher else "baseline", "teacher": "t" if recipe.teacher else None}
    opening |= {"trial": key, "seed": recipe.seed, "teacher_seed": 0, "values": values, "planned_epochs": 2}
    records.append(folder, key, {"kind": "student", **opening, **cost(model, data.shape)._asdict()})
    for epoch in fit(recipe, lesson):
        row = epoch._asdict()
        weights = row.pop("state").weights
        records.append(folder, key, {"kind": "epoch", **row})
    model.load_state_dict(weights)
    logits = predict(model, torch.from_numpy(data.test.images))
    found = score(logits, torch.from_numpy(data.test.labels))
    alike = None if lesson.teacher is None else agreement(logits, torch.from_numpy(lesson.teacher.test))
    tensor_file.write(records.weights_file(folder, key), weights)
    end = {"test_accuracy": found.accuracy, "test_loss": found.loss, "agreement": alike, "reason": None}
    records.append(folder, key, {"kind": "end", "status": "finished", **end})


def run_python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter in which this project is installed."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def best_student(folder: Path) -> tuple[str, Recipe]:
    (trial,) = leaderboard.best(students.read(folder))
    start = records.rows(folder, trial)[0]
    return trial, space.load(records.space_file(folder)).fill(start["values"], start["seed"])


def trained_logits(folder: Path, images: torch.Tensor) -> torch.Tensor:
    """The logits of the best student as trained."""
    trial, recipe = best_student(folder)
    model = build(recipe.student.model, tuple(images.shape[1:]), 10)
    model.load_state_dict(tensor_file.read(records.weights_file(folder, trial))[0])
    return predict(model, images)


@pytest.fixture(scope="session")
def train() -> Callable[..., Path]:
    """Makes another experiment: of other students, data or plugins."""
    return train_experiment


@pytest.fixture(scope="session")
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a fresh interpreter."""
    return run_python


@pytest.fixture(scope="session")
def best() -> Callable[[Path], tuple[str, Recipe]]:
    """Whom an experiment will export, and its recipe."""
    return best_student


@pytest.fixture(scope="session")
def reference() -> Callable[[Path, torch.Tensor], torch.Tensor]:
    """Gives the logits of the best student as trained."""
    return trained_logits


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """Only to be read."""
    return train_experiment(tmp_path_factory.mktemp("trained") / "run")


@pytest.fixture(scope="session")
def exported(trained, tmp_path_factory) -> Path:
    """Only to be read."""
    (folder,) = export(trained, tmp_path_factory.mktemp("exported") / "best")
    return folder


@pytest.fixture
def copy(trained, tmp_path) -> Path:
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def clean() -> Iterator[None]:
    """Nothing of a plugin outlives its test."""
    from trainables.models import MODELS

    yield
    MODELS.pop("narrow", None)
    plugin._loaded.clear()
