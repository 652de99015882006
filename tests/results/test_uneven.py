"""F1 and AUC: always in the files of numbers, shown where accuracy alone would mislead."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

from results import experiment, leaderboard, markdown, records
from results.compare import ranked, sides
from results.export.card import Exported, _numbers
from results.report.page import report
from spaces.recipe import Recipe

SCORES = {"test_macro_f1": 0.7, "test_auc": 0.8, "test_f1": 0.6}
SHOWN = ["validation macro F1 %", "validation AUC %", "test macro F1 %", "test AUC %", "test F1 %"]
POLYPS = {"classes": ["HP", "SSA"], "imbalance": 2.45}


@pytest.fixture
def scored(build) -> Path:
    """An experiment in which all students but the first one have F1 and AUC; that one is of an earlier version."""
    made = build()
    for trial in records.trials(made.folder)[1:]:
        *_, epoch, end = records.rows(made.folder, trial)
        made.row(trial, **{**epoch, "val_macro_f1": 0.5, "val_auc": 0.9})
        made.row(trial, **{**end, **SCORES})
    return made.done()


def about(folder: Path, **data: object) -> experiment.Experiment:
    known = records.environment(folder)
    records.save_environment(folder, {**known, "data": known["data"] | data})
    return experiment.load(folder)


def test_they_are_read_and_averaged_and_missing_in_older_rows(scored: Path) -> None:
    students = experiment.load(scored).students
    assert students[list(leaderboard.UNEVEN)].isna().all(axis=1).tolist() == [True] + [False] * (len(students) - 1)
    lines = leaderboard.leaderboard(students)
    assert (
        lines["test_f1"].dropna().tolist() == pytest.approx([0.6] * 7) and list(lines["val_auc"].dropna()) == [0.9] * 7
    )
    written = pandas.read_csv(pandas.io.common.StringIO(students.to_csv(index=False)))
    assert set(leaderboard.UNEVEN) <= set(written.columns)


@pytest.mark.parametrize(
    ("data", "heads"),
    [
        ({}, []),  # rows of before: nothing is known of the classes' sizes
        ({"imbalance": 1.2}, []),
        ({"imbalance": 2.45}, SHOWN[:-1]),  # ten classes, none of them positive
        (POLYPS, SHOWN),
        ({"imbalance": "2.45"}, []),
    ],
)
def test_they_are_shown_where_classes_are_of_unequal_size(scored: Path, data: dict, heads: list[str]) -> None:
    found = about(scored, **data)
    text, page = markdown.leaderboard(found), report(found)
    assert [head for head in SHOWN if f"| {head} |" in text] == heads
    assert [head for head, _ in page.board.heads if head in SHOWN] == heads
    assert all(high for head, high in page.board.heads if head in SHOWN)
    assert ("Macro F1 is the mean" in text) == bool(heads) == bool(page.notes)


def test_two_classes_are_named(scored: Path) -> None:
    text = markdown.leaderboard(about(scored, **POLYPS))
    assert "F1 is that of class SSA" in text and "of class SSA against HP" in text
    assert "| 60.00 |" in text and "| 80.00 |" in text


def test_they_are_shown_where_they_were_chosen_by(build) -> None:
    made = build(rest="search: {metric: val_auc}\n")
    for trial in records.trials(made.folder):
        *_, epoch, end = records.rows(made.folder, trial)
        best = 0.9 + 0.05 * ("0003" in trial)
        made.row(trial, **{**epoch, "val_macro_f1": 0.5, "val_auc": best})
        made.row(trial, **{**end, **SCORES})
    found = experiment.load(made.done())
    lines = experiment.leaderboard(found)
    assert found.uneven and lines["val_auc"].iloc[0] == lines["val_auc"].max() > lines["val_auc"].iloc[1]
    assert "Ranked by val_auc" in markdown.leaderboard(found)


def test_they_stand_beside_accuracy_wherever_experiments_are_compared(scored: Path) -> None:
    even, found = about(scored, imbalance=1.2), about(scored, **POLYPS)
    for table in (sides.best, sides.every):
        heads, *lines = table([found])
        assert [head for head in heads if head in SHOWN] == SHOWN
        assert any(line[heads.index("test F1 %")] == "60.00" for line in lines)
        assert all(len(line) == len(heads) for line in lines)
        assert not set(table([even])[0]) & set(SHOWN)
    assert all(f"| {head} |" in ranked.page([found]) for head in SHOWN)


def test_they_are_on_the_card_of_an_exported_student(scored: Path) -> None:
    found = about(scored, **POLYPS)
    row = found.students[found.students["stage"] == "explore"].iloc[-1]
    recipe = Recipe.model_validate({"student": {"model": {"name": "mlp", "hidden": [4]}}})
    text = _numbers(found, Exported(1, recipe, row, (1, 8, 8), ["HP", "SSA"], [], [], "", {}))
    assert all(f"| {head} |" in text for head in SHOWN)
    [line] = [line for line in text.splitlines() if line.startswith("| this student")]
    assert line.endswith("| 50.00 | 90.00 | 70.00 | 80.00 | 60.00 |")
