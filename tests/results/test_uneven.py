"""F1 and AUC: always in CSV files, in other tables only if accuracy alone can mislead."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest
import torch

from results import leaderboard, markdown, number_columns, records
from results.compare import joint_leaderboard, side_by_side
from results.experiment import Experiment, load_experiment
from results.export.chosen_students import ChosenStudent
from results.export.model_card import CardData, _results
from results.report.page import report_data
from results.verdict import experiment_verdict
from spaces.recipe import Recipe

FINAL_METRICS = {"test_macro_f1": 0.7, "test_auc": 0.8, "test_f1": 0.6}
SHOWN = ["validation macro F1 %", "validation AUC %", "test macro F1 %", "test AUC %", "test F1 %"]
POLYPS = {"classes": ["HP", "SSA"], "imbalance": 2.45}


@pytest.fixture
def scored(build) -> Path:
    """An experiment with F1 and AUC for all students but the first."""
    built = build()
    for trial in records.trial_names(built.folder)[1:]:
        *_, epoch, end = records.read_rows(built.folder, trial)
        built.row(trial, **{**epoch, "val_macro_f1": 0.5, "val_auc": 0.9})
        built.row(trial, **{**end, **FINAL_METRICS})
    return built.done()


def with_data(folder: Path, **data: object) -> Experiment:
    environment = records.read_environment(folder)
    records.save_environment(folder, {**environment, "data": environment["data"] | data})
    return load_experiment(folder)


def test_they_are_averaged_and_missing_in_older_rows(scored: Path) -> None:
    students = load_experiment(scored).students
    assert students[list(number_columns.UNEQUAL_CLASS_NUMBERS)].isna().all(axis=1).tolist() == [True] + [False] * (
        len(students) - 1
    )
    lines = leaderboard.build_leaderboard(students)
    assert (
        lines["test_f1"].dropna().tolist() == pytest.approx([0.6] * 7) and list(lines["val_auc"].dropna()) == [0.9] * 7
    )
    written = pandas.read_csv(pandas.io.common.StringIO(students.to_csv(index=False)))
    assert set(number_columns.UNEQUAL_CLASS_NUMBERS) <= set(written.columns)


@pytest.mark.parametrize(
    ("data", "heads"),
    [
        ({}, []),  # an earlier version: class sizes are not recorded
        ({"imbalance": 1.2}, []),
        ({"imbalance": 2.45}, SHOWN[:-1]),  # ten classes, none of them positive
        (POLYPS, SHOWN),
        ({"imbalance": "2.45"}, []),
    ],
)
def test_they_are_shown_for_unequal_classes(scored: Path, data: dict, heads: list[str]) -> None:
    experiment = with_data(scored, **data)
    text, page = markdown.leaderboard_page(experiment), report_data(experiment)
    assert [head for head in SHOWN if f"| {head} |" in text] == heads
    assert [head for head, _ in page.leaderboard.heads if head in SHOWN] == heads
    assert all(high for head, high in page.leaderboard.heads if head in SHOWN)
    assert ("Macro F1 is the mean" in text) == bool(heads) == ("Macro F1 is the mean" in " ".join(page.notes))


def test_two_classes_are_named(scored: Path) -> None:
    text = markdown.leaderboard_page(with_data(scored, **POLYPS))
    assert "F1 is that of class SSA" in text and "of class SSA against HP" in text
    assert "| 60.00 |" in text and "| 80.00 |" in text


def test_they_are_shown_if_searched_on(build) -> None:
    built = build(rest="search: {metric: val_auc}\n")
    for trial in records.trial_names(built.folder):
        *_, epoch, end = records.read_rows(built.folder, trial)
        best = 0.9 + 0.05 * ("0003" in trial)
        built.row(trial, **{**epoch, "val_macro_f1": 0.5, "val_auc": best})
        built.row(trial, **{**end, **FINAL_METRICS})
    experiment = load_experiment(built.done())
    lines = experiment.leaderboard()
    assert (
        experiment.has_unequal_classes and lines["val_auc"].iloc[0] == lines["val_auc"].max() > lines["val_auc"].iloc[1]
    )
    assert "Ranked by val_auc" in markdown.leaderboard_page(experiment)


def test_they_are_shown_in_comparisons(scored: Path) -> None:
    equal, unequal = with_data(scored, imbalance=1.2), with_data(scored, **POLYPS)
    for table in (side_by_side.best_lines, side_by_side.configuration_lines):
        heads, *lines = table([unequal])
        assert [head for head in heads if head in SHOWN] == SHOWN
        assert any(line[heads.index("test F1 %")] == "60.00" for line in lines)
        assert all(len(line) == len(heads) for line in lines)
        assert not set(table([equal])[0]) & set(SHOWN)
    assert all(f"| {head} |" in joint_leaderboard.joint_markdown([unequal]) for head in SHOWN)


def test_they_are_on_the_card(scored: Path) -> None:
    experiment = with_data(scored, **POLYPS)
    row = experiment.students[experiment.students["stage"] == "explore"].iloc[-1]
    recipe = Recipe.model_validate({"student": {"model": {"name": "mlp", "hidden": [4]}}})
    text = _results(
        experiment,
        CardData(ChosenStudent("t", "the best"), recipe, row, (1, 8, 8), torch.uint8, ["HP", "SSA"], [], [], [], {}),
    )
    assert all(f"| {head} |" in text for head in SHOWN)
    assert text.startswith(f"> {experiment_verdict(experiment).sentence}\n")
    [line] = [line for line in text.splitlines() if line.startswith("| this student")]
    assert "| 50.00 | 90.00 | 70.00 | 80.00 | 60.00 |" in line
