"""A small experiment, trained without Ray, and its exported best student."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from results import leaderboard, paths, records, students
from results.export import export
from spaces import space
from spaces.metric_functions import accuracy, agreement
from spaces.metrics import compute_metrics
from spaces.recipe import Recipe
from trainables import data as datasets
from trainables import plugin
from trainables.cost import count_cost
from trainables.data import Dataset
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.evaluate import predict_logits
from trainables.fit import fit
from trainables.models import build_network
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
    folder: Path, student: str = MLP, data: Dataset | None = None, plugins: plugin.PluginFiles | None = None
) -> Path:
    """Write an experiment of four students and two baselines, as `search.run` does."""
    data = data or datasets.load_dataset("digits")
    records.write_file(paths.space_file(folder), SPACE.format(student=student))
    loaded = space.load_space(paths.space_file(folder))
    sources = {name: content for name, content in (plugins or {}).items() if isinstance(content, str)}
    records.save_environment(folder, environment(data, sources))
    teacher_recipe = loaded.fill(loaded.cells()[0], 0).teacher_recipe()
    teacher = trained_network(teacher_recipe, DistillationData(data, None))
    outputs = TeacherOutputs(*(predict_logits(teacher, torch.from_numpy(split.images)).numpy() for split in data[:3]))
    test_accuracy = accuracy(torch.from_numpy(outputs.test), torch.from_numpy(data.test.labels))
    scores = {"val_accuracy": 0.9, "test_accuracy": test_accuracy, **count_cost(teacher, data.shape)._asdict()}
    records.save_teacher(folder, {"key": "t", "values": {}, "seed": 0, "epochs": 2, "train_seconds": 1.0, **scores})
    for seed in loaded.seeds:
        filled = [(values, loaded.fill(values, seed)) for values in loaded.cells()]
        for values, recipe in [({}, filled[0][1].baseline()), *filled]:
            record(folder, values, recipe, DistillationData(data, outputs if recipe.teacher else None))
    return folder


def environment(data: Dataset, plugins: dict[str, str]) -> dict:
    recorded = {
        "name": data.name,
        **data.sizes,
        "classes": list(data.classes),
        "source": data.source,
        "split": data.split,
    }
    return {
        **{"command": "python -m search.run tiny.yaml", "started": "2026-01-02T03:04:05", "device": "a processor"},
        **{"cores": 2, "versions": {"torch": torch.__version__}, "data": {**recorded, "shape": list(data.shape)}},
        **{"loss": "some loss", "precision": "float32", "plugins": plugins, "wall_seconds": 1.0},
    }


def trained_network(recipe: Recipe, data: DistillationData) -> torch.nn.Module:
    """Train the network of a recipe."""
    epochs = list(fit(recipe, data))
    model = build_network(recipe.student.model, data.data.shape, len(data.data.classes))
    model.load_state_dict(epochs[-1].state.weights)
    return model


def record(folder: Path, values: dict, recipe: Recipe, distillation: DistillationData) -> None:
    """Train one student and write its rows and weights, as a worker does."""
    key, data = recipe.key(), distillation.data
    model = build_network(recipe.student.model, data.shape, len(data.classes))
    opening = {"stage": "explore" if recipe.teacher else "baseline", "teacher": "t" if recipe.teacher else None}
    opening |= {"trial": key, "seed": recipe.seed, "teacher_seed": 0, "values": values, "planned_epochs": 2}
    records.append_row(folder, key, {"kind": "student", **opening, **count_cost(model, data.shape)._asdict()})
    for epoch in fit(recipe, distillation):
        weights = epoch.state.weights
        records.append_row(folder, key, {"kind": "epoch", **epoch.row()})
    model.load_state_dict(weights)
    logits = predict_logits(model, torch.from_numpy(data.test.images))
    metrics = compute_metrics(logits, torch.from_numpy(data.test.labels), "test")
    teacher = distillation.teacher
    agreeing = None if teacher is None else agreement(logits, torch.from_numpy(teacher.test))
    tensor_file.write_tensors(paths.weights_file(folder, key), weights)
    end = {**metrics, "agreement": agreeing, "reason": None}
    records.append_row(folder, key, {"kind": "end", "status": "finished", **end})


def run_python(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a new interpreter with this project installed."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def best_student(folder: Path) -> tuple[str, Recipe]:
    (trial,) = leaderboard.best_trials(students.read_students(folder))
    start = records.read_rows(folder, trial)[0]
    return trial, space.load_space(paths.space_file(folder)).fill(start["values"], start["seed"])


def trained_logits(folder: Path, images: torch.Tensor) -> torch.Tensor:
    """Return the logits of the best student as trained."""
    trial, recipe = best_student(folder)
    model = build_network(recipe.student.model, tuple(images.shape[1:]), 10)
    model.load_state_dict(tensor_file.read_tensors(paths.weights_file(folder, trial))[0])
    return predict_logits(model, images)


@pytest.fixture(scope="session")
def train() -> Callable[..., Path]:
    """Train another experiment, with other students, data or plugins."""
    return train_experiment


@pytest.fixture(scope="session")
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a new interpreter."""
    return run_python


@pytest.fixture(scope="session")
def best() -> Callable[[Path], tuple[str, Recipe]]:
    """Return trial and recipe of the student to be exported."""
    return best_student


@pytest.fixture(scope="session")
def reference() -> Callable[[Path, torch.Tensor], torch.Tensor]:
    """Return the logits of the best student as trained."""
    return trained_logits


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """Read only."""
    return train_experiment(tmp_path_factory.mktemp("trained") / "run")


@pytest.fixture(scope="session")
def exported(trained, tmp_path_factory) -> Path:
    """Read only."""
    (folder,) = export(trained, tmp_path_factory.mktemp("exported") / "best")
    return folder


@pytest.fixture
def copy(trained, tmp_path) -> Path:
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture
def clean() -> Iterator[None]:
    """Remove a plugin after its test."""
    from trainables.models import MODELS

    yield
    MODELS.pop("narrow", None)
    plugin._loaded_sources.clear()


def write_mnist(folder: Path, shape: list[int] | None) -> None:
    """Record MNIST as the data, with images of the size of digits."""
    text = paths.space_file(folder).read_text()
    paths.space_file(folder).write_text(text.replace("name: digits", "name: mnist"))
    environment = records.read_environment(folder)
    environment["data"] = {**environment["data"], "name": "mnist", "shape": shape}
    records.save_environment(folder, {**environment, "data": {k: v for k, v in environment["data"].items() if v}})


@pytest.fixture(scope="session")
def record_mnist() -> Callable[..., None]:
    """Record MNIST, which is not on this machine, as the data of an experiment."""
    return write_mnist
