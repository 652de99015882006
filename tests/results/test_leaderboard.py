from __future__ import annotations

import pandas
import pytest

import results
from results import leaderboard
from results.experiment import load_experiment
from results.text_tables import leaderboard_texts

HALF = {"method.alpha": 0.5, "method.temperature": 4}


def test_means_are_those_of_the_students(full):
    students = results.read(full)
    line = leaderboard.build_leaderboard(students).iloc[0]
    same = leaderboard.matching_students(students, dict(line[["stage", "method.alpha", "method.temperature"]])).index
    assert line["val_accuracy"] == pytest.approx(students.loc[same]["val_accuracy"].mean())
    assert line["test_accuracy"] == pytest.approx(students.loc[same]["test_accuracy"].mean())
    assert line["test_std"] == pytest.approx(students.loc[same]["test_accuracy"].std(ddof=1))
    assert (line["n"], line["epochs"], line["parameters"]) == (3, 4, 1238730)


def test_ranks_go_down_validation_and_marked_rows_have_none(full):
    lines = load_experiment(full).leaderboard()
    ranked = lines[lines["rank"].notna()]
    assert ranked["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    assert ranked["val_accuracy"].is_monotonic_decreasing
    assert lines[lines["rank"].isna()]["stage"].tolist() == ["baseline", "teacher"]
    assert lines.iloc[-1][["val_accuracy", "n", "macs"]].tolist() == [0.98, 1, 15152677]


def test_a_loss_is_ranked_the_other_way(full):
    ranked = leaderboard.build_leaderboard(results.read(full), "val_loss").dropna(subset="rank")
    assert ranked["val_loss"].is_monotonic_increasing


def test_only_the_confirm_stage_is_ranked_where_there_is_one(confirmed):
    lines = leaderboard.build_leaderboard(results.read(confirmed))
    assert lines["stage"].tolist() == ["confirm"] * 2 + ["baseline"] + ["explore"] * 9
    assert lines["rank"].tolist()[:2] == [1, 2] and lines["rank"].isna().sum() == 10
    assert lines.iloc[:3]["n"].tolist() == [3, 3, 3]  # the baseline of the confirmed students' seeds


def test_students_without_an_end_in_order_are_counted_and_not_averaged(broken):
    lines = leaderboard.build_leaderboard(results.read(broken)).set_index(["method.alpha", "method.temperature"])
    assert lines.loc[(0.5, 1), "left_out"] == "1 diverged"
    assert lines.loc[(0.5, 4), "left_out"] == "1 failed"
    assert lines.loc[(0.5, 16), ["n", "left_out"]].tolist() == [3, "1 stopped"]


def test_fewer_seeds_are_not_ranked(build):
    built = build()
    built.student("explore", HALF, 3)
    lines = leaderboard.build_leaderboard(results.read(built.folder))
    assert lines["rank"].notna().sum() == 1
    assert lines.iloc[0]["n"] == 4


def test_nothing_finished_is_nothing_ranked(empty):
    built = empty()
    assert leaderboard.build_leaderboard(results.read(built.folder)).empty
    built.student("explore", HALF, 0, end="diverged", epochs=1)
    lines = leaderboard.build_leaderboard(results.read(built.folder))
    assert lines["rank"].isna().all() and lines["n"].tolist() == [0]
    assert leaderboard.best_trials(results.read(built.folder)) == []


def test_the_best_are_one_student_of_each_of_the_first_configurations(full, confirmed):
    students = results.read(full)
    chosen = students.set_index("trial").loc[leaderboard.best_trials(students, top=3)]
    lines = leaderboard.build_leaderboard(students).iloc[:3]
    assert chosen["method.temperature"].tolist() == lines["method.temperature"].tolist()
    first = leaderboard.matching_students(
        students, dict(lines.iloc[0][["stage", "method.alpha", "method.temperature"]])
    )
    assert chosen["val_accuracy"].iloc[0] == first["val_accuracy"].max()
    students = results.read(confirmed)
    assert students.set_index("trial").loc[leaderboard.best_trials(students), "stage"].tolist() == ["confirm"]


def test_matching_asks_for_missing_labels_too():
    table = pandas.DataFrame({"a": [1, 1.0, float("nan")], "b": ["x", "y", "x"]}, dtype=object)
    assert leaderboard.matching_students(table, {"a": 1}).index.tolist() == [0, 1]
    assert leaderboard.matching_students(table, {"a": None, "b": "x"}).index.tolist() == [2]


def test_what_the_parts_did_is_averaged_and_shown(full):
    students = results.read(full)
    students["diagnosis.oracle_accuracy"] = students["test_accuracy"] + 0.01
    students["diagnosis.prediction_entropy"] = 0.25
    lines = leaderboard.build_leaderboard(students)
    assert (lines["diagnosis.oracle_accuracy"] - lines["test_accuracy"]).iloc[0] == pytest.approx(0.01)
    heads, first, *_ = leaderboard_texts(lines)
    assert heads[-2:] == ["oracle accuracy %", "prediction entropy bits"] and first[-1] == "0.25"
    assert "oracle_accuracy" not in "".join(heads)


def test_networks_behind_a_teacher_have_lines_of_their_own(full):
    record = {"values": {}, "parameters": 10, "seed": 0}
    teacher = {"a": record | {"key": "a", "test_accuracy": 0.9}}
    behind = {name: record | {"key": name, "test_accuracy": 0.5, "behind": "a"} for name in "bc"}
    behind["d"] = behind["b"] | {"parameters": 99}
    lines = leaderboard.build_leaderboard(results.read(full), teachers=teacher | behind)
    rest = lines[lines["stage"].isin(["teacher", leaderboard.BEHIND_TEACHER])]
    assert rest["stage"].tolist() == ["teacher", leaderboard.BEHIND_TEACHER, leaderboard.BEHIND_TEACHER]
    assert rest["test_accuracy"].tolist() == [0.9, 0.5, 0.5] and rest["n"].tolist() == [1, 2, 1]


def test_equal_members_with_different_epochs_are_two_lines(full):
    record = {"values": {}, "parameters": 10, "macs": 9, "seed": 0, "test_accuracy": 0.5, "behind": "a"}
    members = {name: record | {"key": name, "epochs": epochs} for name, epochs in {"b": 1, "c": 2}.items()}
    lines = leaderboard.build_leaderboard(results.read(full), teachers=members)
    assert lines["epochs"][lines["stage"] == leaderboard.BEHIND_TEACHER].tolist() == [1, 2]


def test_labels_of_no_knobs_are_empty(full):
    students = load_experiment(full).students
    assert leaderboard.label_tuples(students, []) == [()] * len(students)
