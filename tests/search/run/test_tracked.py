"""A search that is followed by optuna-dashboard's journal and MLflow, cut off and taken up again."""

from __future__ import annotations

import signal
from collections import Counter

import optuna
import pandas
import pytest
from mlflow import MlflowClient

from results import records

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def journal(folder) -> Counter:
    """How many students are in which state, as Optuna reads them."""
    backend = optuna.storages.journal.JournalFileBackend(str(records.journal_file(folder)))
    storage = optuna.storages.JournalStorage(backend)
    (study,) = storage.get_all_studies()
    return Counter(trial.state.name for trial in storage.get_all_trials(study._study_id))


def runs(uri: str) -> tuple[str, Counter]:
    """How the experiment's run stands, and how many of those below it in which way."""
    client = MlflowClient(tracking_uri=uri)
    (experiment,) = [each for each in client.search_experiments() if each.name != "Default"]
    found = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    return parent.info.status, Counter(run.info.status for run in found if run is not parent)


@pytest.mark.timeout(600)
def test_both_say_what_the_table_says_after_an_interruption_and_its_resumption(start, slow_space, halfway, tmp_path):
    uri, folder = f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "run"
    space = slow_space(tmp_path, track={"mlflow": uri})
    first = start(space, folder)
    first.until(lambda: halfway(folder))
    first.process.send_signal(signal.SIGINT)
    assert first.wait() == 130
    rows = Counter(pandas.read_csv(records.students_file(folder))["status"])
    parent, children = runs(uri)
    told = journal(folder)
    assert parent == "KILLED" and told["COMPLETE"] == children["FINISHED"] == rows["finished"], first.said()
    assert told["RUNNING"] == children["RUNNING"] == rows["running"] > 0, (told, children, rows, first.said())
    again = start(space, folder)
    assert again.wait() == 0, again.said()
    assert journal(folder) == {"COMPLETE": 6}
    assert runs(uri) == ("FINISHED", {"FINISHED": 6})
