"""Students that fail or diverge, plugins, teachers that somebody brings: one student's trouble is not the others'."""

from __future__ import annotations

import os
import subprocess
import sys

import pandas
import pytest
import torch

from results import records
from trainables.models import build
from trainables.weights import tensor_file

PLUGIN = '''
"""A network and a method of one's own."""
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from trainables.methods import METHODS
from trainables.models import MODELS


def narrow(shape, classes, *, width: int = 4):
    channels, height, rows = shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * rows, width), nn.ReLU(), nn.Linear(width, classes))


def weighed(student, teacher, labels, *, alpha: float, strength: float):
    """strength times cross-entropy."""
    if strength == 3:
        raise RuntimeError("no shape [batch, 3]\\nis known here")
    return strength * cross_entropy(student.logits, labels, reduction="none")


MODELS["narrow"] = narrow
METHODS["weighed"] = weighed
'''


@pytest.fixture(scope="module")
def troubled(start, write, tmp_path_factory):
    """A grid of a plugin's method: one strength raises, one learning rate diverges, the rest is sound."""
    home = tmp_path_factory.mktemp("troubled")
    plugin = home / "mine.py"
    plugin.write_text(PLUGIN)
    space = write(
        home / "troubled.yaml",
        student={"model": {"name": "narrow", "width": 6}},
        method={"name": "weighed", "alpha": 1, "strength": {"choice": [1, 3]}},
        train={"epochs": 2, "batch_size": 64, "optimizer": "sgd", "lr": {"choice": [0.1, 1e38]}},
    )
    run = start(space, home / "run", "--plugin", str(plugin))
    assert run.wait() == 3, run.said()
    return run, home / "run", space, plugin


def test_those_that_can_finish_do(troubled):
    lines = pandas.read_csv(records.students_file(troubled[1]))
    lines["method.strength"] = lines["method.strength"].fillna(0)
    names = ["stage", "train.lr", "method.strength"]
    assert lines.set_index(names)["status"].to_dict() == {
        ("baseline", 0.1, 0): "finished",
        ("baseline", 1e38, 0): "diverged",
        ("explore", 0.1, 1): "finished",
        ("explore", 1e38, 1): "diverged",
        ("explore", 0.1, 3): "failed",
        ("explore", 1e38, 3): "failed",
    }
    assert set(lines["parameters"]) == {64 * 6 + 6 + 6 * 10 + 10}  # the plugin's network


def test_a_failure_has_its_reason_in_one_line(troubled):
    run, folder, *_ = troubled
    reasons = pandas.read_csv(records.students_file(folder)).set_index("status")["reason"]
    assert set(reasons["failed"]) == {"RuntimeError: no shape [batch, 3] (mine.py:19)"}
    assert reasons["diverged"].str.startswith("loss ").all() and pandas.isna(reasons["finished"]).all()
    told = [line for line in run.said().splitlines() if "no shape [batch, 3]" in line]
    assert len(told) == 2 and all(line.startswith("failed") and "strength 3" in line for line in told)
    assert "Traceback" not in run.said()


def test_tables_are_written_all_the_same(troubled):
    folder = troubled[1]
    assert records.leaderboard_file(folder, "md").is_file() and records.curves_file(folder).is_file()


@pytest.mark.slow
def test_what_failed_is_tried_again_and_what_diverged_is_not(troubled, start, rows):
    _, folder, space, plugin = troubled
    before = rows(folder)
    run = start(space, folder, "--plugin", str(plugin))
    assert run.wait() == 3, run.said()
    changed = [trial for trial, found in rows(folder).items() if found != before[trial]]
    assert {before[trial][-1]["status"] for trial in changed} == {"failed"} and len(changed) == 2


TWICE = """
import io, sys
from pathlib import Path
from rich.console import Console
import search
from spaces.errors import UserError

home = Path(sys.argv[1])
for name in ("first", "second"):
    spoken = io.StringIO()
    code = search.run(home / "x.yaml", out=home / name, console=Console(file=spoken))
    print(name, code, "Leaderboard" in spoken.getvalue())
try:
    search.run(home / "none.yaml", out=home / "third")
except UserError as error:
    print("refused", "none.yaml" in str(error))
"""


@pytest.mark.slow
def test_from_python_twice_in_one_process_and_diverged_students_are_no_failure(write, tmp_path):
    write(tmp_path / "x.yaml", method={"name": "none"}, train={"epochs": 2, "optimizer": "sgd", "lr": 1e38})
    done = subprocess.run(
        [sys.executable, "-c", TWICE, str(tmp_path)], env=os.environ, capture_output=True, text=True, timeout=200
    )
    assert done.stdout.splitlines() == ["first 0 True", "second 0 True", "refused True"], done.stdout + done.stderr
    assert done.stderr == ""
    for name in ("first", "second"):
        assert set(pandas.read_csv(records.students_file(tmp_path / name))["status"]) == {"diverged"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_a_teacher_that_somebody_already_has_is_not_taught(start, space, write, tmp_path, kind):
    tiny = space()
    network = build(tiny.fill(tiny.cells()[-1], 0).teacher.model, (1, 8, 8), 10, seed=77)
    weights = tmp_path / f"teacher.{kind}"
    if kind == "safetensors":
        tensor_file.write(weights, network.state_dict())
    else:
        torch.save(network.state_dict(), weights)
    teacher = {"model": {"name": "mlp", "hidden": [16]}, "weights": str(weights)}
    run = start(write(tmp_path / "x.yaml", teacher=teacher), tmp_path / "run")
    assert run.wait() == 0, run.said()
    (record,) = records.teachers(tmp_path / "run").values()
    assert record["train_seconds"] == 0 and record["parameters"] == 1210
    lines = pandas.read_csv(records.students_file(tmp_path / "run"))
    assert set(lines["status"]) == {"finished"} and len(lines) == 3


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["weights", "diverged"])
def test_a_teacher_that_cannot_teach_ends_the_run_with_one_line(start, space, write, tmp_path, trouble):
    tiny = space()
    tensor_file.write(
        tmp_path / "other.safetensors",
        build(tiny.fill(tiny.cells()[-1], 0).teacher.model, (1, 8, 8), 10).state_dict(),
    )
    teacher = {"model": {"name": "mlp", "hidden": [17]}}
    if trouble == "weights":
        teacher["weights"] = str(tmp_path / "other.safetensors")
    else:
        teacher["train"] = {"epochs": 2, "optimizer": "sgd", "lr": 1e38}
    run = start(write(tmp_path / "x.yaml", teacher=teacher), tmp_path / "run")
    assert run.wait() == 2, run.said()
    said = run.said().splitlines()[-1]
    assert ("does not fit teacher.model" if trouble == "weights" else "teacher mlp: Diverged: loss nan") in said
    assert "Traceback" not in run.said() and "ray::" not in run.said()
