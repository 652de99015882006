"""Only experiments with one protocol are ranked; every difference is named."""

from __future__ import annotations

import pytest

from results import records
from results.compare import compare, protocol_differences
from results.experiment import load_experiment
from spaces.errors import UserError

DATA = {"name": "mnist5k", "train": 3000, "val": 500, "test": 1500, "classes": list("0123456789")}
DATA |= {"source": "", "split": "stratified, seed 0"}
VERSIONS = {"torch": "2.13.0", "numpy": "2.3.0"}
DIFFERENCES = [
    ("data", {"data": DATA | {"name": "mnist"}}),
    ("data", {"data": DATA | {"train": 2999}}),
    ("data", {"data": DATA | {"test": 1499}}),
    ("data", {"data": DATA | {"classes": list("01")}}),
    ("data", {"data": DATA | {"shape": [1, 32, 32]}}),
    ("split", {"data": DATA | {"split": "another"}}),
    ("precision", {"precision": "bfloat16"}),
    ("code", {"versions": VERSIONS | {"torch": "2.12.0"}}),
    ("code", {"plugins": {"mine.py": "x = 1"}}),
    ("code", {"runs": [{"versions": VERSIONS}, {"versions": VERSIONS | {"torch": "2.14.0"}}]}),
]


@pytest.mark.parametrize(("part", "environment"), DIFFERENCES)
def test_another_protocol_is_refused_by_name(grid, part, environment):
    first, second = grid("first", {"data": DATA}), grid("second", {"data": DATA} | environment)
    runs = [load_experiment(folder) for folder in (first, second)]
    assert set(protocol_differences.protocol_differences(runs)) == {part}
    with pytest.raises(UserError) as caught:
        compare([first, second])
    message, line = str(caught.value).splitlines()
    assert f"they differ in {part}; use --best or --every" in message
    assert line.startswith(f"  {part}: ") and f"({first})" in line and f"({second})" in line


@pytest.mark.parametrize(("part", "how"), [("n", {"seeds": (0, 1)}), ("epochs", {"epochs": 3})])
def test_another_budget_is_refused(grid, part, how):
    with pytest.raises(UserError, match=rf"they differ in {part};[^\n]*\n  {part}: {3 if part == 'n' else 4} \("):
        compare([grid("first"), grid("second", **how)])


def test_another_metric_is_refused(synthetic, grid, tmp_path):
    by_loss = synthetic.write_grid(tmp_path / "other", rest="search: {metric: val_loss}\n").done()
    with pytest.raises(UserError, match="they differ in chosen by"):
        compare([grid("first"), by_loss])


def test_all_differences_are_named_at_once(grid):
    environment = {"data": DATA | {"split": "another", "train": 2999}, "precision": "bfloat16"}
    with pytest.raises(UserError, match="they differ in data, split, n, precision;"):
        compare([grid("first", {"data": DATA}), grid("second", environment, seeds=(0, 1))])


def test_conditions_without_influence_on_the_numbers_may_differ(grid):
    environment = {"device": "another", "started": "2027-01-01T00:00:00", "cores": 64, "loss": "another"}
    environment["versions"] = VERSIONS | {"optuna": "6.0.0", "ray": "3.0.0"}
    assert compare([grid("first"), grid("second", environment)])


def test_unranked_experiments_are_refused(empty, grid):
    unranked = empty()
    with pytest.raises(UserError, match=r"no configuration is ranked yet; use --best or --every"):
        compare([grid("first"), unranked.folder])
    assert compare([grid("second"), unranked.folder], layout="best")
    assert records.trial_names(unranked.folder) == []
