"""Students that raise, diverge or run out of memory: recorded in their rows, without effect on others."""

from __future__ import annotations

import pandas
import pytest
from conftest import FULL

from results import paths

PLUGIN = '''
"""A method that fails in several ways."""
import torch
from torch.nn.functional import cross_entropy

from trainables.methods import METHODS


def troubled(student, teacher, labels, *, alpha: float, strength: float):
    """Cross-entropy, or a failure."""
    if len(labels) < 64:  # the check before the training
        strength = 1
    if strength == 2:
        raise RuntimeError("made up")
    if strength == 3:
        torch.empty(2**50)
    if strength == 4:
        return student.logits.sum(1) * float("nan")
    return cross_entropy(student.logits, labels, reduction="none")


METHODS["troubled"] = troubled
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "troubled.py"
    path.write_text(PLUGIN)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["tpe", *["grid"] * FULL])
def test_a_failing_student_does_not_affect_others(algorithm, plugin, tmp_path, start, write, tally):
    method = {"name": "troubled", "alpha": 1, "strength": {"choice": [1, 2, 3, 4]}}
    search = {"algorithm": "grid"} if algorithm == "grid" else {"algorithm": "tpe", "trials": 4, "scheduler": "asha"}
    space = write(tmp_path / "x.yaml", method=method, search=search, train={"epochs": 2, "batch_size": 64})
    run = start(space, tmp_path / "run", "--plugin", str(plugin))
    assert run.wait() == 3, run.output()
    assert "Traceback" not in run.output()
    lines = pandas.read_csv(paths.students_file(tmp_path / "run"))
    tried = lines[lines["stage"] == "explore"].set_index("method.strength")
    assert tried["status"].to_dict() == {1: "finished", 2: "failed", 3: "failed", 4: "diverged"}
    assert "made up" in tried["reason"][2] and "memory" in tried["reason"][3] and "loss nan" in tried["reason"][4]
    board = pandas.read_csv(paths.leaderboard_file(tmp_path / "run", "csv"))
    ranked = board[board["stage"] == "explore"].dropna(subset="rank")
    assert ranked["n"].tolist() == [1]
    tally(f"a student that raises, one without memory, one with NaN: {algorithm}", tries=3, note="others finished")
