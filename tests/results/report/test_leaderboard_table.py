from __future__ import annotations

import pandas

from results.experiment import load_experiment
from results.report import leaderboard_table as module
from results.report.leaderboard_table import MOST_OPTIONS, leaderboard_table, student_statuses


def of(folder):
    experiment = load_experiment(folder)
    return leaderboard_table(experiment.leaderboard(), experiment.students)


def test_every_row_has_a_text_and_a_value_per_head(full):
    table = of(full)
    heads = ["rank", "stage", "validation %", "test %", "n", "alpha", "temperature"]
    assert [head for head, _ in table.heads][:7] == heads and table.note == ""
    assert len(table.rows) == 8 and {len(row.cells) for row in table.rows} == {len(table.heads)}
    best = table.rows[0].cells
    assert (best[0].text, best[0].value) == ("1", 1.0)
    assert best[2].text.startswith(f"{100 * best[2].value:.2f} ± ")


def test_missing_values_have_no_sort_key(full):
    baseline = next(row for row in of(full).rows if row.stage == "baseline")
    assert (baseline.cells[0].text, baseline.cells[0].value) == ("–", None)


def test_higher_is_better_only_for_accuracies_and_n(full):
    assert [head for head, high in of(full).heads if high] == [
        *("validation %", "test %", "n", "agreement with teacher %")
    ]


def test_a_row_has_the_statuses_of_all_its_students(broken):
    table = of(broken)
    assert {tuple(row.statuses) for row in table.rows} == {
        *(("finished",), ("finished", "diverged"), ("finished", "failed"), ("finished", "stopped"))
    }
    assert table.statuses[0] == "finished" and set(table.statuses) == {"finished", "diverged", "failed", "stopped"}
    assert student_statuses(pandas.Series({"n": 0, "left_out": "2 stopped, 1 failed"})) == ["stopped", "failed"]


def test_filters_are_lists_for_few_values_and_ranges_for_many(mixed):
    filters = {entry.knob: entry for entry in of(mixed).filters}
    assert set(filters["hidden"].values) == {"[64]", "[400,400]"}
    assert set(filters["method"].values) == {"none", "hinton"}
    assert filters["batch_size"].values == [] and len(filters["temperature"].values) <= MOST_OPTIONS
    heads = [head for head, _ in of(mixed).heads]
    assert all(heads[entry.column] == entry.knob for entry in filters.values())


def test_of_many_configurations_the_best_and_the_failed_are_listed(broken, monkeypatch):
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    table = of(broken)
    assert table.rows[0].cells[0].text == "1"
    assert {"failed", "diverged"} <= set(table.statuses) and {"baseline", "teacher"} <= set(table.stages)
    assert len(table.rows) == 6 and table.note.startswith("6 of 8 are shown: the best 1, ")


def test_before_the_first_student_only_the_teacher_is_shown(empty):
    assert [row.stage for row in of(empty().folder).rows] == ["teacher"]
