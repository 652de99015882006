"""Changed keys of a space, other than additions to a finished experiment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spaces.extend import changed_keys
from spaces.space import Space

BASE = """\
method: {name: hinton, alpha: {choice: [0, 1]}, temperature: {choice: [1, 4]}, flag: 1}
train: {epochs: 3}
seeds: [0, 1]
"""
TPE = """\
name: other
train: {lr: {uniform: [0.1, 1]}}
search: {algorithm: tpe, trials: 10}
confirm: {top: 2, seeds: [5]}
"""
TUNED = TPE.replace("confirm:", "baseline: {trials: 4}\nconfirm:")


@pytest.mark.parametrize(
    ("base", "old", "new", "changed"),
    [
        (BASE, "", "", []),
        (BASE, "seeds: [0, 1]", "seeds: [2, 1, 0]", []),
        (BASE, "seeds: [0, 1]", "seeds: [0]", ["seeds"]),
        (BASE, "choice: [0, 1]", "choice: [0, 0.5, 1]", []),
        (BASE, "choice: [0, 1]", "choice: [0.0, 1.0]", []),
        (BASE, "choice: [0, 1]", "choice: [0]", ["method.alpha"]),
        (BASE, "{choice: [0, 1]}", "0", ["method.alpha"]),
        (BASE, "alpha: {choice: [0, 1]}, ", "", ["method.alpha"]),
        (BASE, "flag: 1", "flag: true", ["method.flag"]),
        (BASE, "flag: 1", "flag: 1, more: null", ["method.more"]),
        (BASE, "train: {epochs: 3}", "train: {epochs: 3, lr: 0.001}\nteacher: {train: {epochs: 12}}", []),
        (
            BASE,
            "train: {epochs: 3}",
            "train: {epochs: 4}\nteacher: {train: {lr: 1}}",
            ["teacher.train.lr", "train.epochs"],
        ),
        (BASE, "train: {epochs: 3}", "train: {epochs: 3}\nteacher: {seeds: [0, 1]}", []),
        (BASE, "train: {epochs: 3}", "train: {epochs: 3}\nteacher: {seeds: [1]}", ["teacher.seeds"]),
        (BASE, "name: hinton", "name: other", ["method.name"]),
        (TPE, "name: other", "name: another", []),
        (TPE, "trials: 10", "trials: 20", []),
        (TPE, "trials: 10", "trials: 5", ["search.trials"]),
        (TPE, "trials: 10", "trials: 10, hours: 2", []),
        (BASE, "seeds", "resources: {workers: 1, pack: 4}\nseeds", []),
        (BASE, "seeds", "resources: {cpus: 2}\nseeds", ["resources.cpus"]),
        (TPE, "algorithm: tpe", "algorithm: random, grace_period: 2", ["search.algorithm", "search.grace_period"]),
        (TPE, "top: 2, seeds: [5]", "top: 3, seeds: [5, 6]", []),
        (TPE, "top: 2, seeds: [5]", "top: 1, seeds: [6]", ["confirm.top", "confirm.seeds"]),
        (TPE, "top: 2, seeds: [5]", "top: 2, seeds: [5], train_on: all", ["confirm.train_on"]),
        (TPE, "confirm: {top: 2, seeds: [5]}\n", "", ["confirm"]),
        (TPE, "[0.1, 1]", "[0.1, 2]", ["train.lr"]),
        (TPE, "[0.1, 1]", "[0.1, 1], prior: 0.5", ["train.lr"]),
        (TPE.replace("{uniform: [0.1, 1]}", "{choice: [2, 1], prior: 1}"), "prior: 1", "prior: 2", ["train.lr"]),
        (TPE, "confirm:", "baseline: {trials: 4}\nconfirm:", []),
        (TUNED, "trials: 4", "trials: 5", []),
        (TUNED, "trials: 4", "trials: 3", ["baseline.trials"]),
        (TUNED, "baseline: {trials: 4}\n", "", ["baseline"]),
    ],
)
def test_changes(space: Callable[[str], Space], base: str, old: str, new: str, changed: list[str]) -> None:
    assert old in base
    assert changed_keys(space(base), space(base.replace(old, new))) == changed


def test_new_option_must_not_rename_old_ones(space: Callable[[str], Space]) -> None:
    text = "student: {model: {choice: [{name: mlp, hidden: [3]}, {name: cnn}]}}"
    assert changed_keys(space(text), space(text.replace("{name: cnn}", "{name: cnn}, {name: other}"))) == []
    assert changed_keys(space(text), space(text.replace("[3]", "[4]"))) == ["student.model.hidden"]
    same_name = text.replace("{name: cnn}", "{name: cnn}, {name: mlp, hidden: [5]}")
    assert changed_keys(space(text), space(same_name)) == []
    assert changed_keys(space(same_name), space(text)) == ["student.model"]
    third = same_name.replace("{choice: [", "{choice: [{name: mlp, hidden: [7]}, ")
    assert changed_keys(space(same_name), space(third)) == []
    before_it = text.replace("{name: mlp", "{name: mlp, hidden: [5]}, {name: mlp")
    assert changed_keys(space(text), space(before_it)) == ["student.model.hidden"]
