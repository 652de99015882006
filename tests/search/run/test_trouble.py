"""Failing and diverging students, plugins, and teachers from a file."""

from __future__ import annotations

import os
import subprocess
import sys

import pandas
import pytest
import torch

from results import paths, records
from trainables.models import build_network
from trainables.weights import tensor_file

PLUGIN = '''
"""A network and a method of the user."""
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
    if strength == 3 and len(labels) == 64:  # not in the check before the training
        raise RuntimeError("no shape [batch, 3]\\nfits here")
    return strength * cross_entropy(student.logits, labels, reduction="none")


MODELS["narrow"] = narrow
METHODS["weighed"] = weighed
'''


@pytest.fixture(scope="module")
def troubled(search_here, write, tmp_path_factory):
    """A grid with a plugin's method: one strength raises, one learning rate diverges, the rest trains."""
    home = tmp_path_factory.mktemp("troubled")
    plugin = home / "mine.py"
    plugin.write_text(PLUGIN)
    space = write(
        home / "troubled.yaml",
        student={"model": {"name": "narrow", "width": 6}},
        method={"name": "weighed", "alpha": 1, "strength": {"choice": [1, 3]}},
        train={"epochs": 2, "batch_size": 64, "optimizer": "sgd", "lr": {"choice": [0.1, 1e38]}},
    )
    run = search_here(space, home / "run", "--plugin", plugin)
    assert run.code == 3, run.output
    return run, home / "run", space, plugin


def test_other_students_finish(troubled):
    lines = pandas.read_csv(paths.students_file(troubled[1]))
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


def test_a_failed_student_has_its_reason_in_one_line(troubled):
    run, folder, *_ = troubled
    reasons = pandas.read_csv(paths.students_file(folder)).set_index("status")["reason"]
    assert set(reasons["failed"]) == {"RuntimeError: no shape [batch, 3] (mine.py:19)"}
    assert reasons["diverged"].str.startswith("loss ").all() and pandas.isna(reasons["finished"]).all()
    printed = [line for line in run.output.splitlines() if line.startswith("failed") and "no shape [batch, 3]" in line]
    assert len(printed) == 2 and all("strength 3" in line for line in printed)
    assert "Traceback" not in run.output


def test_tables_are_written_despite_failures(troubled):
    folder = troubled[1]
    assert paths.leaderboard_file(folder, "md").is_file() and paths.curves_file(folder).is_file()


@pytest.mark.slow
def test_failed_students_are_retried_and_diverged_ones_are_not(troubled, search_here, rows):
    _, folder, space, plugin = troubled
    before = rows(folder)
    run = search_here(space, folder, "--plugin", plugin)
    assert run.code == 3, run.output
    changed = [trial for trial, content in rows(folder).items() if content != before[trial]]
    assert {before[trial][-1]["status"] for trial in changed} == {"failed"} and len(changed) == 2


TWICE = """
import io, sys
from pathlib import Path
from rich.console import Console
import search
from spaces.errors import UserError

home = Path(sys.argv[1])
for name in ("first", "second"):
    output = io.StringIO()
    result = search.run(home / "x.yaml", out=home / name, console=Console(file=output))
    print(name, result.exit_code, "Leaderboard" in output.getvalue())
try:
    search.run(home / "none.yaml", out=home / "third")
except UserError as error:
    print("refused", "none.yaml" in str(error))
"""


@pytest.mark.slow
def test_two_searches_in_one_python_process_with_diverged_students_succeed(write, tmp_path):
    write(tmp_path / "x.yaml", method={"name": "none"}, train={"epochs": 2, "optimizer": "sgd", "lr": 1e38})
    process = subprocess.run(
        [sys.executable, "-c", TWICE, str(tmp_path)], env=os.environ, capture_output=True, text=True, timeout=200
    )
    output = process.stdout + process.stderr
    assert process.stdout.splitlines() == ["first 0 True", "second 0 True", "refused True"], output
    assert process.stderr == ""
    for name in ("first", "second"):
        assert set(pandas.read_csv(paths.students_file(tmp_path / name))["status"]) == {"diverged"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_a_teacher_from_a_file_is_not_trained(search_here, space, write, tmp_path, kind):
    tiny = space()
    network = build_network(tiny.fill(tiny.cells()[-1], 0).teacher.model, (1, 8, 8), 10, seed=77)
    weights = tmp_path / f"teacher.{kind}"
    if kind == "safetensors":
        tensor_file.write_tensors(weights, network.state_dict())
    else:
        torch.save(network.state_dict(), weights)
    teacher = {"model": {"name": "mlp", "hidden": [16]}, "weights": str(weights)}
    run = search_here(write(tmp_path / "x.yaml", teacher=teacher), tmp_path / "run")
    assert run.code == 0, run.output
    (record,) = records.read_teachers(tmp_path / "run").values()
    assert record["train_seconds"] == 0 and record["parameters"] == 1210
    lines = pandas.read_csv(paths.students_file(tmp_path / "run"))
    assert set(lines["status"]) == {"finished"} and len(lines) == 3


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["weights", "diverged"])
def test_an_unusable_teacher_ends_the_run_with_one_line(search_here, space, write, tmp_path, trouble):
    tiny = space()
    tensor_file.write_tensors(
        tmp_path / "other.safetensors",
        build_network(tiny.fill(tiny.cells()[-1], 0).teacher.model, (1, 8, 8), 10).state_dict(),
    )
    teacher = {"model": {"name": "mlp", "hidden": [17]}}
    if trouble == "weights":
        teacher["weights"] = str(tmp_path / "other.safetensors")
    else:
        teacher["train"] = {"epochs": 2, "optimizer": "sgd", "lr": 1e38}
    run = search_here(write(tmp_path / "x.yaml", teacher=teacher), tmp_path / "run")
    assert run.code == 2, run.output
    last_line = run.output.splitlines()[-1]
    assert ("does not fit teacher.model" if trouble == "weights" else "teacher mlp: Diverged: loss nan") in last_line
    assert "Traceback" not in run.output and "ray::" not in run.output
