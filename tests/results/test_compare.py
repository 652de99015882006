"""Experiments side by side: only on the same data, and nothing but what their leaderboards say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from results import compare, records
from spaces.errors import UserError


def rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_one_line_for_each_experiment(full, confirmed):
    heads, _, first, second = rows(compare.compare([str(full), str(confirmed)]))
    assert heads == list(compare.HEADS)
    assert "alpha 0.5" in first[1] and first[1].endswith("(explore)") and second[1].endswith("(confirm)")
    assert first[4] == "3"


def test_every_configuration_has_a_line(full):
    heads, _, *lines = rows(compare.compare([str(full)], every=True))
    assert heads == list(compare.EVERY)
    assert [line[1] for line in lines] == ["explore"] * 6 + ["baseline", "teacher"]
    assert lines[-1][3] == "98.00" and "temperature" not in lines[-2][2]


@pytest.fixture
def other(full, tmp_path):
    """A folder of its own, to be changed."""
    return Path(shutil.copytree(full, tmp_path / "copy"))


def test_what_only_some_were_measured_by_is_a_dash_for_others(confirmed, other):
    trial = next(iter(records.trials(other)))
    *_, end = records.rows(other, trial)
    records.append(other, trial, end | {"diagnosis": {"oracle_accuracy": 0.5}})
    heads, _, *lines = rows(compare.compare([str(confirmed), str(other)], every=True))
    assert heads[-1] == "oracle accuracy %"
    assert {line[-1] for line in lines} == {"–", "50.00"}


@pytest.mark.parametrize("part", [{"split": "otherwise"}, {"train": 2999}, {"name": "mnist"}])
def test_other_data_is_refused(full, other, part):
    about = records.environment(other)
    records.save_environment(other, about | {"data": about["data"] | part})
    with pytest.raises(UserError, match="these stand on different data"):
        compare.compare([str(full), str(other)])


def test_what_is_no_experiment_is_said_without_a_trace(tmp_path, capsys):
    assert compare.main([str(tmp_path)]) == 2
    assert "not an experiment folder" in capsys.readouterr().err
