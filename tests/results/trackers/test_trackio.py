"""Runs in a real Trackio database; skipped without Trackio (CONTRIBUTING.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from results import paths, records
from results.experiment import load_experiment
from results.students import histories, history
from results.trackers import trackio as tracker_module
from results.verdict import experiment_verdict
from spaces.errors import UserError
from spaces.space import load_space

pytest.importorskip("trackio")
from trackio import SQLiteStorage, sqlite_storage, utils

VALUES = {"method.alpha": 0.5, "method.temperature": 4}


@pytest.fixture(autouse=True)
def database(tmp_path, monkeypatch) -> None:
    """Redirect Trackio, which reads TRACKIO_DIR at its import, to an empty folder."""
    for module in (sqlite_storage, utils):
        monkeypatch.setattr(module, "TRACKIO_DIR", tmp_path / "trackio")


def connect(folder: Path, option: str | None = None) -> tracker_module.TrackioTracker:
    return tracker_module.start_tracker(folder, load_space(paths.space_file(folder)), option, list(histories(folder)))


def runs(project: str) -> dict[str, str]:
    return {run["id"]: run["name"] for run in SQLiteStorage.get_run_records(project)}


def test_every_student_is_a_run_once_and_the_verdict_another(full):
    project = load_space(paths.space_file(full)).name
    for _ in range(2):
        connect(full).close(list(histories(full)), done=True)
    students, experiment = list(histories(full)), load_experiment(full)
    ids = runs(project)
    assert len(ids) == len([student for student in students if student.epochs]) + 1
    for student in students:
        [run] = [run for run in ids if run.endswith(student.start["trial"])]
        logs = SQLiteStorage.get_logs(project, run_id=run)
        accuracies = [row["accuracy/val"] for row in logs if "accuracy/val" in row]
        assert accuracies == [row["val_accuracy"] for row in student.epochs]
        tests = [row["accuracy/test"] for row in logs if "accuracy/test" in row]
        assert tests == [student.end["test_accuracy"]] and logs[-1]["step"] == len(student.epochs)
        config = SQLiteStorage.get_run_config(project, run_id=run)
        assert config["seed"] == student.start["seed"] and config["status"] == student.end["status"]
        assert config[tracker_module.GROUP_KEY] == full.name
    assert "alpha 0.5, temperature 4, seed 0" in ids.values()
    [result] = [run for run, name in ids.items() if name.startswith("verdict")]
    [row] = SQLiteStorage.get_logs(project, run_id=result)
    verdict = experiment_verdict(experiment)
    assert row["gain"] == pytest.approx(verdict.gain) and verdict.sentence in row["verdict"]["_value"]


def test_a_resumed_search_continues_its_runs(empty):
    build = empty()
    trial = build.student("explore", VALUES, 0, end=None, epochs=2)
    connect(build.folder).close([], done=False)
    tracker = connect(build.folder, "other project")
    build.epoch(trial, 3, 0.9)
    end = {"kind": "end", "status": "finished", "reason": None, "test_accuracy": 0.8, "time": 2e9}
    records.append_row(build.folder, trial, end)
    tracker.update(history(build.folder, trial))
    [run] = runs("other project")
    logs = SQLiteStorage.get_logs("other project", run_id=run)
    assert [row["step"] for row in logs] == [1, 2, 3, 3] and logs[-1]["accuracy/test"] == 0.8
    assert SQLiteStorage.get_run_config("other project", run_id=run)["status"] == "finished"


def test_an_unusable_project_is_reported_with_its_line(empty):
    build = empty("track: {trackio: registry-mine}\n")
    with pytest.raises(
        UserError, match=r"space\.yaml:\d+: track\.trackio: Trackio cannot write project registry-mine: "
    ):
        connect(build.folder, "registry-mine")
