"""MLflow's own client finds in a real store what the rows say, however often it was told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results import records
from results.students import histories, history, read
from results.trackers import mlflow
from search.plan import check
from search.students.spec import student
from spaces.errors import UserError

ENVIRONMENT = {
    **{"command": "python -m search.run tiny.yaml", "started": "2026-01-02T03:04:05", "device": "a processor"},
    **{"loss": "some loss", "precision": "float32", "data": {"name": "digits", "split": "by seed 0"}},
}
VALUES = [{"method.alpha": alpha, "method.temperature": 4} for alpha in (0, 0.5)]
# MLflow calls what SQLAlchemy has deprecated
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory) -> Path:
    """A store without anything in it: to make one takes MLflow seconds."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    client = mlflow._client(f"sqlite:///{path}")
    client.search_experiments()
    return path


@pytest.fixture
def uri(empty_store, tmp_path) -> str:
    return f"sqlite:///{shutil.copy(empty_store, tmp_path)}"


@pytest.fixture
def made(space, trained, folder) -> Callable[..., str]:
    """Writes one student of a space of which all kinds of ends are known; returns its key."""
    searched = space()
    records.replace(records.space_file(folder), searched.dump())
    records.save_environment(folder, ENVIRONMENT)

    def write(which: int, seed: int, accuracies: list[float], status: str | None = "finished", **more: Any) -> str:
        return trained(student(searched, "explore", VALUES[which], seed, 0), accuracies, status, **more).key

    return write


@pytest.fixture
def tell(space, folder, uri) -> Callable[..., mlflow.Mlflow]:
    """Tells the store of all students, as the beginning of a run does."""
    return lambda: mlflow.connect(folder, space(), uri, list(histories(folder)))


def runs(uri: str) -> dict[str, Any]:
    """All runs of the one experiment in a store: students by their key, the experiment's by nothing."""
    client = mlflow._client(uri)
    (experiment,) = [each for each in client.search_experiments() if each.name != "Default"]
    found = client.search_runs([experiment.experiment_id], max_results=1000)
    keyed = {run.data.tags.get("distil.student", ""): run for run in found}
    assert len(keyed) == len(found)
    return keyed


def curve(uri: str, run: Any, name: str) -> list[tuple[int, float]]:
    found = mlflow._client(uri).get_metric_history(run.info.run_id, name)
    return sorted((each.step, each.value) for each in found)


def test_every_student_is_a_run_below_that_of_the_experiment(made, tell, folder, uri):
    made(1, 0, [0.5, 0.6, 0.7], test_accuracy=0.65, agreement=0.9)
    made(1, 1, [0.5], "stopped")
    made(1, 2, [0.5, 0.4], "diverged")
    made(1, 3, [], "failed")
    made(0, 0, [0.3, 0.5, 0.6])
    made(1, 4, [0.2, 0.3], None)
    tell().close([], done=True)
    found, rows = runs(uri), read(folder).set_index("trial")
    parent = found.pop("")
    assert parent.info.status == "FINISHED" and parent.data.tags["command"] == ENVIRONMENT["command"]
    assert set(found) == set(rows.index)
    ends = {"finished": "FINISHED", "stopped": "KILLED", "diverged": "FAILED", "failed": "FAILED", "running": "RUNNING"}
    for key, run in found.items():
        row, epochs = rows.loc[key], history(folder, key).epochs
        assert run.info.status == ends[row["status"]] and run.data.tags["status"] == row["status"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert (run.data.params["stage"], run.data.params["seed"]) == (row["stage"], str(row["seed"]))
        assert run.data.params["method.alpha"] == str(row["method.alpha"])
        for name in ("val_accuracy", "train_loss", "lr"):
            assert curve(uri, run, name) == [(epoch["epoch"], epoch[name]) for epoch in epochs]
    (best,) = [run for run in found.values() if "test_accuracy" in run.data.metrics]
    assert (best.data.metrics["test_accuracy"], best.data.metrics["agreement"]) == (0.65, 0.9)
    assert best.info.run_name == "alpha 0.5, temperature 4, seed 0"


def test_told_twice_it_is_there_once(made, tell, uri):
    made(1, 0, [0.5, 0.6, 0.7])
    tell()
    before = runs(uri)
    tell()
    after = runs(uri)
    assert {key: run.info.run_id for key, run in before.items()} == {key: run.info.run_id for key, run in after.items()}
    for key, run in after.items():
        assert curve(uri, run, "val_accuracy") == curve(uri, before[key], "val_accuracy")


def test_a_resumed_search_goes_on_in_the_same_runs(made, tell, folder, uri):
    key = made(1, 0, [0.5, 0.6], None)
    tell().close([], done=False)
    assert runs(uri)[""].info.status == "KILLED" and runs(uri)[key].info.status == "RUNNING"
    for epoch, accuracy in ((2, 0.6), (3, 0.7)):  # epoch 2 was trained again
        row = {"kind": "epoch", "epoch": epoch, "val_accuracy": accuracy, "val_loss": 1 - accuracy, "time": 9.0}
        records.append(folder, key, row)
    known = tell()
    assert runs(uri)[""].info.status == "RUNNING"
    records.append(
        folder, key, {"kind": "end", "status": "finished", "reason": None, "test_accuracy": 0.8, "time": 9.5}
    )
    known.tell(history(folder, key))
    known.close(histories(folder), done=True)
    run = runs(uri)[key]
    assert curve(uri, run, "val_accuracy") == [(1, 0.5), (2, 0.6), (3, 0.7)]
    assert curve(uri, run, "test_accuracy") == [(3, 0.8)]
    assert (run.info.status, run.info.end_time) == ("FINISHED", 9500) and runs(uri)[""].info.status == "FINISHED"


@pytest.mark.parametrize("request_", ["create_run", "log_batch", "set_tag", "set_terminated"])
def test_who_is_told_of_when_a_search_is_interrupted_is_one_whole_run(request_, made, tell, folder, uri, monkeypatch):
    """Ctrl-C comes when the store has done what it was asked, and nobody here knows of it yet."""
    known = tell()
    key = made(1, 0, [0.5, 0.6, 0.7], test_accuracy=0.8)
    done = getattr(known._client, request_)

    def interrupted(*given: Any, **named: Any) -> None:
        done(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(known._client, request_, interrupted)
        known.tell(history(folder, key))
    known.close(histories(folder), done=False)
    run = runs(uri)[key]
    assert run.info.status == "FINISHED" and run.data.tags["status"] == "finished"
    assert run.data.params["seed"] == "0" and run.data.params["method.alpha"] == "0.5"
    assert curve(uri, run, "val_accuracy") == [(1, 0.5), (2, 0.6), (3, 0.7)]
    assert curve(uri, run, "test_accuracy") == [(3, 0.8)]


def test_a_failed_student_that_is_tried_again_is_at_work_again(made, tell, folder, uri):
    key = made(1, 0, [0.5], "failed", reason="no memory")
    tell()
    assert runs(uri)[key].data.tags["reason"] == "no memory"
    records.append(folder, key, records.rows(folder, key)[0])
    tell()
    run = runs(uri)[key]
    assert (run.info.status, run.data.tags["status"], run.data.tags["reason"]) == ("RUNNING", "running", "")


def test_two_experiments_of_one_space_are_two_runs(made, tell, folder, uri, space):
    key = made(1, 0, [0.5])
    tell()
    other = shutil.copytree(folder, folder.with_name("other"))
    mlflow.connect(other, space(), uri, list(histories(other)))
    client = mlflow._client(uri)
    (experiment,) = [each for each in client.search_experiments() if each.name != "Default"]
    found = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags.get("distil.student", "") for run in found) == ["", "", key, key]
    assert sum(run.data.tags.get("mlflow.parentRunId") is None for run in found) == 2


def test_more_metrics_than_one_request_may_have(made, tell, folder, uri):
    key = made(1, 0, [0.5] * 300)
    tell()
    assert len(curve(uri, runs(uri)[key], "val_accuracy")) == 300


@pytest.mark.timeout(120)
@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "nonsense://here", "sqlite:////proc/nowhere/mlflow.db"])
def test_where_there_is_no_mlflow_the_line_is_named_before_anything_is_trained(space, made, folder, address):
    made(1, 0, [0.5])
    with pytest.raises(UserError, match=rf"tiny\.yaml:\d+: track: MLflow at {address}: "):
        mlflow.connect(folder, space(track={"mlflow": address}), address, [])


def test_without_the_package_the_check_says_what_to_install(space, monkeypatch):
    check.check(space(track="mlflow"))
    monkeypatch.setattr(check, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"tiny\.yaml:\d+: track: needs a package .* pip install mlflow"):
        check.check(space(track="mlflow"))
    check.check(space())
