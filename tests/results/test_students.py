from __future__ import annotations

import json
import re

import pandas
import pytest

import results
from results import paths, records, students

VALUES = {"method.alpha": 0.5, "method.temperature": 4}


def test_one_row_per_student_in_the_promised_order(full):
    table = results.read(full)
    assert list(table.columns) == [*students.STUDENT_COLUMNS, "method.alpha", "method.temperature"]
    assert list(table.columns[:9]) == (
        ["trial", "stage", "status", "seed", "epochs", "val_accuracy", "test_accuracy", "best_epoch", "train_seconds"]
    )
    assert len(table) == 3 + 3 * 6
    assert set(table["status"]) == {"finished"}
    assert (table["epochs"] == 4).all() and (table["train_seconds"] == 6.0).all()


@pytest.mark.parametrize(
    ("row", "labels"),
    [
        ({"stage": "baseline"}, {"method.alpha": 0}),  # of earlier versions
        ({"stage": "baseline", "teacher_weights": ["method.alpha"]}, {"method.alpha": 0}),
        ({"stage": "baseline", "teacher_weights": ["method.weight"]}, {"method.weight": 0}),
        ({"stage": "baseline", "teacher_weights": ["method.far"]}, {}),  # not a knob of the space
        ({"stage": "baseline", "teacher_weights": []}, {}),
        ({"stage": "explore", "teacher_weights": [], "values": {"method.alpha": 0.5}}, {"method.alpha": 0.5}),
    ],
)
def test_labels_of_a_baseline(row, labels):
    assert students.knob_values(row, ["method.alpha", "method.weight"]) == labels


def test_the_baseline_has_alpha_0_and_no_temperature(full):
    baseline = results.read(full).query("stage == 'baseline'")
    assert list(baseline["method.alpha"]) == [0, 0, 0]
    assert baseline["method.temperature"].isna().all() and baseline["teacher_key"].isna().all()


def test_students_csv_comes_back(full, tmp_path):
    table = results.read(full)
    students.write_students(tmp_path, table)
    read = pandas.read_csv(tmp_path / "students.csv")
    assert list(read.columns) == list(table.columns)
    assert read["method.temperature"].dropna().astype(int).tolist() == table["method.temperature"].dropna().tolist()
    assert read["val_accuracy"].tolist() == pytest.approx(table["val_accuracy"].tolist())
    assert "4.0" not in paths.students_file(tmp_path).read_text().split("\n")[2].split(",")


def test_status_of_the_last_line_counts(broken, tmp_path):
    assert results.read(broken)["status"].value_counts()[["diverged", "failed", "stopped"]].tolist() == [1, 1, 1]


def test_running_students_have_no_test_accuracy(running):
    table = results.read(running).query("status == 'running'")
    assert table["epochs"].tolist() == [0, 2]
    assert table["test_accuracy"].isna().all()


def test_an_end_in_the_middle_does_not_count(empty):
    built = empty()
    trial = built.student("explore", VALUES, 0, end="failed", epochs=2)
    built.epoch(trial, 3, 0.9)
    line = results.read(built.folder).iloc[0]
    assert (line["status"], line["epochs"]) == ("running", 3)
    assert pandas.isna(line["reason"])


def test_a_proposal_that_another_stage_trained_again_is_a_proposal_still(tmp_path):
    """Otherwise a resumed search counts one suggestion too few and trains another student."""
    for stage, proposal in (("explore", {"method.alpha": 0}), ("baseline", None)):
        row = {"kind": "student", "trial": "one", "stage": stage, "seed": 0, "suggested": proposal, "time": 0.0}
        records.append_row(tmp_path, "one", row)
    past = students.history(tmp_path, "one")
    assert past.start["stage"] == "baseline" and past.start["suggested"] == {"method.alpha": 0}


def test_a_repeated_epoch_replaces_what_came_after_it(empty):
    built = empty()
    trial = built.student("explore", VALUES, 0, end=None, epochs=4)
    built.row(trial, kind="epoch", epoch=3, val_accuracy=0.5, val_loss=1.0, train_loss=1.0, lr=0.1, seconds=1.5)
    line = results.read(built.folder).iloc[0]
    assert (line["epochs"], line["val_accuracy"], line["train_seconds"]) == (3, 0.5, 4.5)
    assert students.read_epochs(built.folder)["epoch"].tolist() == [1, 2, 3]


def test_epochs_have_one_row_per_student_and_epoch(full):
    table = students.read_epochs(full)
    assert list(table.columns) == students.EPOCH_COLUMNS
    assert len(table) == 21 * 4


def test_the_best_epoch_is_the_first_of_the_highest_accuracy(empty):
    built = empty()
    trial = built.student("explore", VALUES, 0, end=None, epochs=0)
    for epoch, accuracy in enumerate([0.5, 0.9, None, 0.9, 0.8], start=1):
        built.row(trial, kind="epoch", epoch=epoch, val_accuracy=accuracy, val_loss=0.1)
    line = results.read(built.folder).iloc[0]
    assert (line["best_epoch"], line["best_val_accuracy"], line["val_accuracy"]) == (2, 0.9, 0.8)


def test_an_experiment_without_students_is_an_empty_table(empty):
    table = results.read(empty().folder)
    assert len(table) == 0 and "method.alpha" in table.columns and "trial" in table.columns
    assert len(students.read_epochs(empty().folder)) == 0


def test_a_student_whose_first_line_is_torn_has_not_begun(empty):
    built = empty()
    path = paths.rows_file(built.folder, "torn")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"kind": "student", "trial": "torn"})[:-1])
    assert len(results.read(built.folder)) == 0


def test_whole_teachers_as_options_are_a_knob(empty):
    """The knob `teacher` has the name of a row field."""
    built = empty()
    file = paths.space_file(built.folder)
    options = "teacher: {choice: [{model: {name: mlp, hidden: [4]}}, {model: {name: mlp, hidden: [8]}}]}\n"
    file.write_text(re.sub(r"(?m)^teacher:.*\n", options, file.read_text()))
    for name in ("teacher-1", "teacher-2"):
        built.student("explore", {**VALUES, "teacher": name}, 0)
    table = results.read(built.folder)
    assert sorted(table["teacher"]) == ["teacher-1", "teacher-2"] and "teacher" in students.knob_columns(table)
    assert table["teacher_key"].nunique() == 1


def test_a_row_has_the_present_label_of_its_option(tmp_path, synthetic):
    """It was written while its option was the only one of its name."""
    options = "{choice: [{name: mlp, hidden: [8]}, {name: mlp, hidden: [4]}]}"
    text = synthetic.space().replace("{name: mlp, hidden: [784, 784]}", options)
    built = synthetic.Build(tmp_path, text)
    for label in ("mlp", "mlp hidden [8]", "mlp hidden [4]", "mlp-2"):
        built.student("explore", {"method.alpha": 0.5, "method.temperature": 1, "student.model": label}, 0)
    shown = students.read_students(built.folder)["student.model"].tolist()
    assert shown == ["mlp hidden [8]"] * 2 + ["mlp hidden [4]"] * 2
