"""A grid from a YAML file to a table: its files, a second run, and extensions."""

from __future__ import annotations

import json
import shutil

import pandas
import pytest

from results import paths, records
from results.students import STUDENT_COLUMNS

FILES = [
    *("space.yaml", "environment.json", "students.csv", "leaderboard.csv", "leaderboard.md"),
    *("table.csv", "table.md", "heatmap.png", "curves.png"),
]


@pytest.fixture(scope="module")
def lines(grid) -> pandas.DataFrame:
    return pandas.read_csv(paths.students_file(grid))


def test_all_result_files_are_written(grid):
    assert [name for name in FILES if not (grid / name).is_file()] == []
    assert list((grid / "tensorboard").rglob("events*"))
    assert {path.name for path in (grid / "trials").glob("*/*")} == {"epochs.jsonl", "student.safetensors"}


def test_students_csv_has_the_documented_columns(lines):
    assert list(lines.columns) == [*STUDENT_COLUMNS, "method.alpha", "method.temperature"]
    assert len(lines) == 2 * (1 + 2)
    assert set(lines["status"]) == {"finished"}
    assert set(lines["epochs"]) == set(lines["planned_epochs"]) == {4}
    assert set(lines["parameters"]) == {610}
    assert lines["test_accuracy"].between(0.5, 1).all() and lines["val_accuracy"].between(0.5, 1).all()
    assert (lines["train_seconds"] > 0).all()


def test_the_baseline_is_trained_once_per_seed_without_a_teacher(lines):
    baseline = lines[lines["stage"] == "baseline"]
    assert sorted(baseline["seed"]) == [0, 1]
    assert set(baseline["method.alpha"]) == {0}
    assert baseline[["method.temperature", "teacher_key", "agreement"]].isna().all(axis=None)


def test_every_other_cell_has_its_seeds_and_a_teacher(grid, lines):
    distilled = lines[lines["stage"] == "explore"]
    cells = distilled.groupby(["method.alpha", "method.temperature"])["seed"].apply(sorted)
    assert cells.to_dict() == {(0.5, 1): [0, 1], (0.5, 4): [0, 1]}
    (teacher,) = records.read_teachers(grid)
    assert set(distilled["teacher_key"]) == {teacher}
    assert distilled["agreement"].between(0, 1).all()


def test_the_row_of_alpha_zero_shows_the_baseline(grid, lines):
    table = pandas.read_csv(paths.table_file(grid, "csv"))
    assert len(table) == 4 and set(table["n"]) == {2}
    baseline = lines[lines["stage"] == "baseline"]["test_accuracy"]
    inert = table[table["method.alpha"] == 0]
    assert inert["baseline"].all() and not table[table["method.alpha"] == 0.5]["baseline"].any()
    assert inert["mean"].tolist() == pytest.approx([baseline.mean()] * 2)
    assert inert["std"].tolist() == pytest.approx([baseline.std()] * 2)


def test_environment_json_records_command_data_and_versions(grid):
    environment = records.read_environment(grid)
    assert environment["command"].startswith("python -m search.run ") and f"--out {grid}" in environment["command"]
    assert environment["data"]["name"] == "digits" and environment["data"]["train"] == 1097
    assert 1 <= environment["data"]["imbalance"] < 1.1
    assert environment["precision"] in ("float32", "bfloat16")
    assert environment["wall_seconds"] > 0
    assert {"torch", "ray", "optuna", "numpy", "python"} <= environment["versions"].keys()


def test_the_record_of_a_teacher_has_its_scores_and_costs(grid):
    ((key, teacher),) = records.read_teachers(grid).items()
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


def test_running_again_trains_nothing(grid, tmp_path, search_here, slow_space, rows):
    folder = shutil.copytree(grid, tmp_path / "run")
    run = search_here(slow_space(tmp_path), folder)
    assert run.code == 0, run.output
    assert rows(folder) == rows(grid)
    assert "explore: 0 students" not in run.output
    before, after = records.read_environment(grid), records.read_environment(folder)
    assert after["wall_seconds"] > before["wall_seconds"] and after["started"] == before["started"]
    for name in ("students.csv", "table.csv", "leaderboard.csv"):
        assert (folder / name).read_bytes() == (grid / name).read_bytes()


def test_more_seeds_and_options_train_only_new_students(grid, tmp_path, search_here, slow_space, rows):
    folder = shutil.copytree(grid, tmp_path / "run")
    method = {"name": "hinton", "alpha": {"choice": [0, 0.5]}, "temperature": {"choice": [1, 4, 16]}}
    run = search_here(slow_space(tmp_path, method=method, seeds=[0, 1, 2]), folder)
    assert run.code == 0, run.output
    lines = pandas.read_csv(paths.students_file(folder))
    assert len(lines) == 3 * (1 + 3)
    assert {trial: content for trial, content in rows(folder).items() if trial in rows(grid)} == rows(grid)
    table = pandas.read_csv(paths.table_file(folder, "csv"))
    assert len(table) == 6 and set(table["n"]) == {3}
    assert "choice: [1, 4, 16]" in (folder / "space.yaml").read_text()


def test_environment_json_is_valid_json(grid):
    json.loads(paths.environment_file(grid).read_text())
