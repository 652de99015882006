from __future__ import annotations

import pandas

from results import experiment as experiments
from results.report.leaderboard_table import FEW, board, statuses


def of(folder):
    experiment = experiments.load(folder)
    return board(experiments.leaderboard(experiment), experiment.students)


def test_every_line_has_a_text_and_a_value_for_each_head(full):
    found = of(full)
    assert [head for head, _ in found.heads][:6] == ["rank", "stage", "alpha", "temperature", "validation %", "test %"]
    assert len(found.lines) == 8 and {len(line.cells) for line in found.lines} == {len(found.heads)}
    best = found.lines[0].cells
    assert (best[0].text, best[0].value) == ("1", 1.0)
    assert best[4].text == f"{100 * best[4].value:.2f}"


def test_what_is_missing_has_no_value_to_sort_by(full):
    baseline = next(line for line in of(full).lines if line.stage == "baseline")
    assert (baseline.cells[0].text, baseline.cells[0].value) == ("–", None)


def test_more_is_better_only_for_accuracies_and_n(full):
    assert [head for head, high in of(full).heads if high] == [
        *("validation %", "test %", "n", "agreement with teacher %")
    ]


def test_a_line_has_the_statuses_of_all_its_students(broken):
    found = of(broken)
    assert {tuple(line.statuses) for line in found.lines} == {
        *(("finished",), ("finished", "diverged"), ("finished", "failed"), ("finished", "stopped"))
    }
    assert found.statuses[0] == "finished" and set(found.statuses) == {"finished", "diverged", "failed", "stopped"}
    assert statuses(pandas.Series({"n": 0, "left_out": "2 stopped, 1 failed"})) == ["stopped", "failed"]


def test_a_knob_with_few_values_is_picked_from_a_list_and_another_by_its_range(mixed):
    filters = {each.knob: each for each in of(mixed).filters}
    assert set(filters["hidden"].values) == {"[64]", "[400,400]"}
    assert set(filters["method"].values) == {"none", "hinton"}
    assert filters["batch_size"].values == [] and len(filters["temperature"].values) <= FEW
    heads = [head for head, _ in of(mixed).heads]
    assert all(heads[each.column] == each.knob for each in filters.values())


def test_nothing_begun_is_the_teacher_alone(empty):
    assert [line.stage for line in of(empty().folder).lines] == ["teacher"]
