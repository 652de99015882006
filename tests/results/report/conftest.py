"""A search in which knobs vary of every kind, some of them only under one method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

SPACE = """\
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
def mixed(empty: Callable) -> Path:
    """Twenty students under two methods, three of them stopped at each of ASHA's rungs 1 and 3, one failed."""
    made = empty(epochs=9)
    (made.folder / "space.yaml").write_text(SPACE)
    for index in range(20):
        values = {"student.model.hidden": ["[64]", "[400,400]"][index % 2], "train.batch_size": 32 + 10 * index}
        distilled = {"method.alpha": index / 20, "method.temperature": 2.0 ** (index % 7)}
        values |= {"method": "none"} if index % 5 == 0 else {"method": "hinton", **distilled}
        end = "stopped" if index < 6 else "failed" if index == 6 else "finished"
        made.student("explore", values, 0, end, {"stopped": 1 if index < 3 else 3, "failed": 2}.get(end))
    made.student("baseline", {"student.model.hidden": "[400,400]", "train.batch_size": 222}, 0)
    return made.done()
