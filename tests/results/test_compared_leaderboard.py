"""Ties, gains and deviations on the leaderboard."""

from __future__ import annotations

import re

import pytest

from results import markdown
from results.compared_leaderboard import compared_leaderboard
from results.experiment import load_experiment
from results.text_tables import leaderboard_texts
from results.verdict import experiment_verdict

ALPHA, HEAT = "method.alpha", "method.temperature"


def test_the_first_gain_is_that_of_the_verdict(full):
    experiment = load_experiment(full)
    lines, verdict = compared_leaderboard(experiment), experiment_verdict(experiment)
    assert lines.loc[0, ["gain", "gain_low", "gain_high"]].tolist() == [verdict.gain, verdict.low, verdict.high]
    ranked, baseline = lines[lines["rank"].notna()], lines[lines["stage"] == "baseline"].iloc[0]
    assert ranked["gain"].tolist() == pytest.approx(list(ranked["test_accuracy"] - baseline["test_accuracy"]))
    assert (ranked["gain_low"] < ranked["gain"]).all() and lines["gain"][lines["rank"].isna()].isna().all()


def test_ties_are_those_of_the_table(full):
    experiment = load_experiment(full)
    grid, lines = experiment.grid(), compared_leaderboard(experiment)
    tied = lines[lines["tied"].fillna(False)]
    cells = {(row, column) for row, column in zip(tied[ALPHA], tied[HEAT], strict=True)}
    expected = {
        (grid.row_labels[row], grid.column_labels[column]) for row, column in zip(*grid.is_tied.nonzero(), strict=True)
    }
    assert cells == expected and lines["tied"].dtype == "boolean"
    assert lines["tied"][lines["stage"] == "teacher"].isna().all()


def test_the_student_alone_is_tested_too(build):
    experiment = load_experiment(build(noise=0.5).done())
    lines = compared_leaderboard(experiment)
    assert lines[lines["stage"] == "baseline"]["tied"].notna().all() and lines["tied"].sum() > 3
    for table in (lines, lines.drop(columns=[HEAT, ALPHA])):  # as on a narrow terminal
        texts = leaderboard_texts(table, ["test_accuracy", "n"])
        assert sum(text.startswith("= ") for row in texts for text in row) == lines["tied"].sum()


def test_one_seed_has_gains_without_interval_and_no_ties(single):
    lines = compared_leaderboard(load_experiment(single))
    assert lines["tied"].isna().all() and lines["gain"].notna().sum() == 6 and lines["gain_low"].isna().all()


def test_each_network_is_compared_with_its_own_baseline(tmp_path, synthetic):
    text = synthetic.space(rest="seeds: [0, 1]\n").replace("[784, 784]", "{choice: [[4], [8]]}")
    built = synthetic.Build(tmp_path, text)
    for hidden, shift in (("[4]", 0.0), ("[8]", 0.05)):
        for seed in (0, 1):
            for stage, values, gain in (("baseline", {}, 0.0), ("explore", {ALPHA: 0.5, HEAT: 4}, 0.01 + shift / 10)):
                trial = built.student(stage, values | {"student.model.hidden": hidden}, seed)
                scores = {"test_accuracy": 0.8 + shift + gain + seed / 1000}
                built.row(trial, kind="end", status="finished", reason=None, **scores)
    lines = compared_leaderboard(load_experiment(built.done())).set_index(["stage", "student.model.hidden"])
    assert lines.loc[("explore", "[4]"), "gain"] == pytest.approx(0.01)
    assert lines.loc[("explore", "[8]"), "gain"] == pytest.approx(0.015)


def test_tables_show_deviation_tie_and_gain(full):
    text = markdown.leaderboard_page(load_experiment(full))
    first = next(line for line in text.splitlines() if line.startswith("| 1 |"))
    assert re.search(r"\| \d\d\.\d\d ± \d\.\d\d \| = \d\d\.\d\d ± \d\.\d\d \|", first)
    assert re.search(r"\| \+\d\.\d\d \(\+\d\.\d\d to \+\d\.\d\d\) \|", first)
    assert "| gain over the student alone |" in text and "- `=`: the highest test accuracy" in text
