"""A whole grid, from a YAML file to a table: what it leaves, what running it again does, and what extends it."""

from __future__ import annotations

import json
import shutil

import pandas
import pytest

from results import records
from results.students import COLUMNS

FILES = [
    *("space.yaml", "environment.json", "students.csv", "leaderboard.csv", "leaderboard.md"),
    *("table.csv", "table.md", "heatmap.png", "curves.png"),
]


@pytest.fixture(scope="module")
def lines(grid) -> pandas.DataFrame:
    return pandas.read_csv(records.students_file(grid))


def test_every_file_of_the_results_is_there(grid):
    assert [name for name in FILES if not (grid / name).is_file()] == []
    assert list((grid / "tensorboard").rglob("events*"))
    assert {path.name for path in (grid / "trials").glob("*/*")} == {"epochs.jsonl", "student.safetensors"}


def test_a_line_per_student_in_the_documented_columns(lines):
    assert list(lines.columns) == [*COLUMNS, "method.alpha", "method.temperature"]
    assert len(lines) == 2 * (1 + 2)
    assert set(lines["status"]) == {"finished"}
    assert set(lines["epochs"]) == set(lines["planned_epochs"]) == {4}
    assert set(lines["parameters"]) == {610}
    assert lines["test_accuracy"].between(0.5, 1).all() and lines["val_accuracy"].between(0.5, 1).all()
    assert (lines["train_seconds"] > 0).all()


def test_the_baseline_is_trained_once_per_seed_without_a_teacher(lines):
    alone = lines[lines["stage"] == "baseline"]
    assert sorted(alone["seed"]) == [0, 1]
    assert set(alone["method.alpha"]) == {0}
    assert alone[["method.temperature", "teacher_key", "agreement"]].isna().all(axis=None)


def test_every_other_cell_has_its_seeds_and_a_teacher(grid, lines):
    taught = lines[lines["stage"] == "explore"]
    cells = taught.groupby(["method.alpha", "method.temperature"])["seed"].apply(sorted)
    assert cells.to_dict() == {(0.5, 1): [0, 1], (0.5, 4): [0, 1]}
    (teacher,) = records.teachers(grid)
    assert set(taught["teacher_key"]) == {teacher}
    assert taught["agreement"].between(0, 1).all()


def test_the_row_of_alpha_zero_shows_the_baseline(grid, lines):
    table = pandas.read_csv(records.table_file(grid, "csv"))
    assert len(table) == 4 and set(table["n"]) == {2}
    alone = lines[lines["stage"] == "baseline"]["test_accuracy"]
    inert = table[table["method.alpha"] == 0]
    assert inert["baseline"].all() and not table[table["method.alpha"] == 0.5]["baseline"].any()
    assert inert["mean"].tolist() == pytest.approx([alone.mean()] * 2)
    assert inert["std"].tolist() == pytest.approx([alone.std()] * 2)


def test_the_protocol_says_what_it_stands_on(grid):
    about = records.environment(grid)
    assert about["command"].startswith("python -m search.run ") and f"--out {grid}" in about["command"]
    assert about["data"]["name"] == "digits" and about["data"]["train"] == 1097
    assert 1 <= about["data"]["imbalance"] < 1.1
    assert about["precision"] in ("float32", "bfloat16")
    assert about["wall_seconds"] > 0
    assert {"torch", "ray", "optuna", "numpy", "python"} <= about["versions"].keys()


def test_the_record_of_a_teacher(grid):
    ((key, teacher),) = records.teachers(grid).items()
    assert teacher["key"] == key and teacher["epochs"] == 2 and teacher["values"] == {}
    assert {
        "val_accuracy",
        "test_accuracy",
        "parameters",
        "macs",
        "latency_ms",
        "train_seconds",
        "cached",
        "seed",
    } <= teacher.keys()


def test_running_again_trains_nothing(grid, tmp_path, start, slow_space, rows):
    folder = shutil.copytree(grid, tmp_path / "run")
    run = start(slow_space(tmp_path), folder)
    assert run.wait() == 0, run.said()
    assert rows(folder) == rows(grid)
    assert "explore: 0 students" not in run.said()
    before, after = records.environment(grid), records.environment(folder)
    assert after["wall_seconds"] > before["wall_seconds"] and after["started"] == before["started"]
    for name in ("students.csv", "table.csv", "leaderboard.csv"):
        assert (folder / name).read_bytes() == (grid / name).read_bytes()


def test_more_seeds_and_options_train_what_is_new_alone(grid, tmp_path, start, slow_space, rows):
    folder = shutil.copytree(grid, tmp_path / "run")
    method = {"name": "hinton", "alpha": {"choice": [0, 0.5]}, "temperature": {"choice": [1, 4, 16]}}
    run = start(slow_space(tmp_path, method=method, seeds=[0, 1, 2]), folder)
    assert run.wait() == 0, run.said()
    lines = pandas.read_csv(records.students_file(folder))
    assert len(lines) == 3 * (1 + 3)
    assert {trial: found for trial, found in rows(folder).items() if trial in rows(grid)} == rows(grid)
    table = pandas.read_csv(records.table_file(folder, "csv"))
    assert len(table) == 6 and set(table["n"]) == {3}
    assert "choice: [1, 4, 16]" in (folder / "space.yaml").read_text()


def test_environment_is_json_that_others_can_read(grid):
    json.loads(records.environment_file(grid).read_text())
