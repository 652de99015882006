"""Runs in a real MLflow store, read by MLflow's own client."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results import paths, records
from results.experiment import load_experiment
from results.students import histories, history, read_students
from results.trackers import mlflow
from results.verdict import experiment_verdict
from spaces.errors import UserError
from spaces.space import load_space

VALUES = {"method.alpha": 0.5, "method.temperature": 4}
# MLflow calls deprecated functions of SQLAlchemy
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory) -> Path:
    """An empty store, which takes MLflow seconds to create."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow._mlflow_client(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def uri(empty_store, tmp_path) -> str:
    return f"sqlite:///{shutil.copy(empty_store, tmp_path)}"


class Rows:
    """Writes students with given validation accuracies."""

    def __init__(self, build: Any) -> None:
        self.build, self.folder = build, build.folder

    def student(self, values: dict, seed: int, accuracies: list[float], status: str | None = "finished", **end) -> str:
        trial = self.build.student("explore", values, seed, end=None, epochs=0)
        for number, accuracy in enumerate(accuracies, 1):
            self.epoch(trial, number, accuracy)
        if status:
            row = {"kind": "end", "status": status, "reason": None, "test_accuracy": None, "time": 9.0, **end}
            records.append_row(self.folder, trial, row)
        return trial

    def epoch(self, trial: str, number: int, accuracy: float) -> None:
        metrics = {"train_loss": 1.0, "val_loss": 1 - accuracy, "val_accuracy": accuracy, "val_ece": 0.1}
        row = {"kind": "epoch", "epoch": number, **metrics, "lr": 0.001, "seconds": 0.1, "time": 8.0}
        records.append_row(self.folder, trial, row)


@pytest.fixture
def rows(empty) -> Rows:
    return Rows(empty())


@pytest.fixture
def connect(rows, uri) -> Callable[..., mlflow.MlflowTracker]:
    """Return a tracker that has logged all students, like at the start of a run."""

    def connected(folder: Path = rows.folder, address: str = uri) -> mlflow.MlflowTracker:
        space = load_space(paths.space_file(folder))
        return mlflow.start_tracker(folder, space, address, list(histories(folder)))

    return connected


def stored_runs(uri: str) -> dict[str, Any]:
    """Return all runs of the store by student; the experiment's run has the key ''."""
    client = mlflow._mlflow_client(uri)
    (experiment,) = [experiment for experiment in client.search_experiments() if experiment.name != "Default"]
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    by_student = {run.data.tags.get("distil.student", ""): run for run in runs}
    assert len(by_student) == len(runs)
    return by_student


def curve(uri: str, run: Any, name: str) -> list[tuple[int, float]]:
    history_ = mlflow._mlflow_client(uri).get_metric_history(run.info.run_id, name)
    return sorted((metric.step, metric.value) for metric in history_)


def test_every_student_is_a_run_below_the_experiments_run(rows, connect, uri):
    rows.student(VALUES, 0, [0.5, 0.6, 0.7], test_accuracy=0.65, test_brier=0.3, agreement=0.9)
    rows.student(VALUES, 1, [0.5], "stopped")
    rows.student(VALUES, 2, [0.5, 0.4], "diverged")
    rows.student(VALUES, 3, [], "failed")
    rows.student({**VALUES, "method.alpha": 1}, 0, [0.3, 0.5, 0.6])
    rows.student(VALUES, 4, [0.2, 0.3], None)
    connect().close([], done=True)
    runs, table = stored_runs(uri), read_students(rows.folder).set_index("trial")
    parent = runs.pop("")
    environment = records.read_environment(rows.folder)
    assert parent.info.status == "FINISHED" and parent.data.tags["command"] == environment["command"]
    assert set(runs) == set(table.index)
    for trial, run in runs.items():
        row, epochs = table.loc[trial], history(rows.folder, trial).epochs
        assert run.info.status == {**mlflow.RUN_STATUSES, "running": "RUNNING"}[row["status"]]
        assert run.data.tags["status"] == row["status"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert (run.data.params["stage"], run.data.params["seed"]) == (row["stage"], str(row["seed"]))
        assert run.data.params["method.alpha"] == str(row["method.alpha"])
        for name in ("val_accuracy", "val_ece", "train_loss", "lr"):
            assert curve(uri, run, name) == [(epoch["epoch"], epoch[name]) for epoch in epochs]
    (best,) = [run for run in runs.values() if "test_accuracy" in run.data.metrics]
    assert [best.data.metrics[name] for name in ("test_accuracy", "test_brier", "agreement")] == [0.65, 0.3, 0.9]
    assert best.info.run_name == "alpha 0.5, temperature 4, seed 0"


def test_the_experiments_run_has_winner_gain_and_report(full, connect, uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MLflow keeps artifacts of a store without a server in ./mlruns
    tracker = connect(folder=full)
    tracker.close(list(histories(full)), done=True)
    parent = stored_runs(uri)[""]
    verdict = experiment_verdict(load_experiment(full))
    assert parent.data.tags["verdict"] == verdict.sentence and verdict.sentence in parent.data.tags[mlflow.NOTE_TAG]
    assert parent.data.tags["winner"] == "alpha 0.5, temperature 16"
    gains = [parent.data.metrics[name] for name in ("gain", "gain_low", "gain_high")]
    assert gains == pytest.approx([verdict.gain, verdict.low, verdict.high])
    client = mlflow._mlflow_client(uri)
    page = Path(client.download_artifacts(parent.info.run_id, "report.html", str(tmp_path))).read_text()
    assert verdict.sentence in page


def test_logging_twice_adds_nothing(rows, connect, uri):
    rows.student(VALUES, 0, [0.5, 0.6, 0.7])
    connect()
    before = stored_runs(uri)
    connect()
    after = stored_runs(uri)
    assert {key: run.info.run_id for key, run in before.items()} == {key: run.info.run_id for key, run in after.items()}
    for key, run in after.items():
        assert curve(uri, run, "val_accuracy") == curve(uri, before[key], "val_accuracy")


def test_a_resumed_search_continues_its_runs(rows, connect, uri):
    trial = rows.student(VALUES, 0, [0.5, 0.6], None)
    connect().close([], done=False)
    assert stored_runs(uri)[""].info.status == "KILLED" and stored_runs(uri)[trial].info.status == "RUNNING"
    for number, accuracy in ((2, 0.6), (3, 0.7)):  # epoch 2 was trained again
        rows.epoch(trial, number, accuracy)
    tracker = connect()
    assert stored_runs(uri)[""].info.status == "RUNNING"
    end = {"kind": "end", "status": "finished", "reason": None, "test_accuracy": 0.8, "time": 9.5}
    records.append_row(rows.folder, trial, end)
    tracker.update(history(rows.folder, trial))
    tracker.close(list(histories(rows.folder)), done=True)
    run = stored_runs(uri)[trial]
    assert curve(uri, run, "val_accuracy") == [(1, 0.5), (2, 0.6), (3, 0.7)]
    assert curve(uri, run, "test_accuracy") == [(3, 0.8)]
    assert (run.info.status, run.info.end_time) == ("FINISHED", 9500)
    assert stored_runs(uri)[""].info.status == "FINISHED"


@pytest.mark.parametrize("request_", ["create_run", "log_batch", "set_tag", "set_terminated"])
def test_an_interruption_between_request_and_response_leaves_one_complete_run(
    request_, rows, connect, uri, monkeypatch
):
    tracker = connect()
    trial = rows.student(VALUES, 0, [0.5, 0.6, 0.7], test_accuracy=0.8)
    send = getattr(tracker._client, request_)

    def interrupted(*arguments: Any, **options: Any) -> None:
        send(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tracker._client, request_, interrupted)
        tracker.update(history(rows.folder, trial))
    tracker.close(list(histories(rows.folder)), done=False)
    run = stored_runs(uri)[trial]
    assert run.info.status == "FINISHED" and run.data.tags["status"] == "finished"
    assert run.data.params["seed"] == "0" and run.data.params["method.alpha"] == "0.5"
    assert curve(uri, run, "val_accuracy") == [(1, 0.5), (2, 0.6), (3, 0.7)]
    assert curve(uri, run, "test_accuracy") == [(3, 0.8)]


def test_a_retried_student_is_running_again(rows, connect, uri):
    trial = rows.student(VALUES, 0, [0.5], "failed", reason="no memory")
    connect()
    assert stored_runs(uri)[trial].data.tags["reason"] == "no memory"
    records.append_row(rows.folder, trial, records.read_rows(rows.folder, trial)[0])
    connect()
    run = stored_runs(uri)[trial]
    assert (run.info.status, run.data.tags["status"], run.data.tags["reason"]) == ("RUNNING", "running", "")


def test_two_experiments_of_one_space_are_two_runs(rows, connect, uri):
    trial = rows.student(VALUES, 0, [0.5])
    connect()
    connect(shutil.copytree(rows.folder, rows.folder.with_name("other")))
    client = mlflow._mlflow_client(uri)
    (experiment,) = [experiment for experiment in client.search_experiments() if experiment.name != "Default"]
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags.get("distil.student", "") for run in runs) == ["", "", trial, trial]
    assert sum(run.data.tags.get("mlflow.parentRunId") is None for run in runs) == 2


def test_metrics_beyond_one_request_are_logged(rows, connect, uri):
    trial = rows.student(VALUES, 0, [0.5] * 300)
    connect()
    assert len(curve(uri, stored_runs(uri)[trial], "val_accuracy")) == 300


@pytest.mark.timeout(120)
@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "nonsense://here", "sqlite:////proc/nowhere/mlflow.db"])
def test_an_unreachable_store_is_reported_with_its_line(empty, address):
    build = empty(f"track: {{mlflow: '{address}'}}\n")
    space = load_space(paths.space_file(build.folder))
    with pytest.raises(UserError, match=rf"space\.yaml:\d+: track: MLflow cannot be reached at {address}: "):
        mlflow.start_tracker(build.folder, space, address, [])
