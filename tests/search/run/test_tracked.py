"""Optuna journal and MLflow of an interrupted and resumed search."""

from __future__ import annotations

import signal
from collections import Counter

import optuna
import pandas
import pytest

from results import paths

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def journal(folder) -> Counter:
    """Return the number of students per state in Optuna."""
    backend = optuna.storages.journal.JournalFileBackend(str(paths.journal_file(folder)))
    storage = optuna.storages.JournalStorage(backend)
    (study,) = storage.get_all_studies()
    return Counter(trial.state.name for trial in storage.get_all_trials(study._study_id))


def runs(uri: str) -> tuple[str, Counter]:
    """Return the status of the experiment's run in MLflow, and the number of students per status."""
    from mlflow import MlflowClient  # here: its import takes seconds

    client = MlflowClient(tracking_uri=uri)
    (experiment,) = [item for item in client.search_experiments() if item.name != "Default"]
    all_runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in all_runs if "mlflow.parentRunId" not in run.data.tags]
    return parent.info.status, Counter(run.info.status for run in all_runs if run is not parent)


@pytest.mark.timeout(600)
def test_trackers_agree_with_the_table_after_interruption_and_resumption(start, slow_space, halfway, tmp_path):
    uri, folder = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "run"
    space = slow_space(tmp_path, track={"mlflow": uri})
    first = start(space, folder)
    first.wait_until(lambda: halfway(folder))
    first.process.send_signal(signal.SIGINT)
    assert first.wait() == 130
    rows = Counter(pandas.read_csv(paths.students_file(folder))["status"])
    parent, children = runs(uri)
    states = journal(folder)
    ended = states["COMPLETE"] + states["PRUNED"]  # a finished baseline is pruned in Optuna
    assert parent == "KILLED" and ended == children["FINISHED"] == rows["finished"], first.output()
    assert states["RUNNING"] == children["RUNNING"] == rows["running"] > 0, (states, children, rows, first.output())
    again = start(space, folder)
    assert again.wait() == 0, again.output()
    assert journal(folder) == {"COMPLETE": 4, "PRUNED": 2}
    assert runs(uri) == ("FINISHED", {"FINISHED": 6})
