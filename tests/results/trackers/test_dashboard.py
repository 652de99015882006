"""A journal in the real optuna-dashboard, read over HTTP like by its own page."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest

from results import paths, records, students
from results.experiment import load_experiment
from results.trackers.optuna_journal import JournalTracker
from spaces import space

pytestmark = pytest.mark.slow
TIMEOUT_SECONDS = 300  # the dashboard reads the file every few seconds
STATES = {"finished": "Complete", "stopped": "Pruned", "diverged": "Pruned", "failed": "Fail", "running": "Running"}
GetStudy = Callable[[], dict[str, Any]]


@pytest.fixture
def serve() -> Iterator[Callable[[Path], GetStudy]]:
    """Start optuna-dashboard on a free port; the result returns the study of the journal."""
    servers = []

    def started(journal: Path) -> GetStudy:
        while True:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            program = Path(sys.executable).parent / "optuna-dashboard"
            command = [str(program), str(journal), "--host", "127.0.0.1", "--port", str(port), "--quiet"]
            server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            servers.append(server)
            until(lambda: server.poll() is not None or get(port, "studies") is not None)  # noqa: B023  # called at once
            if server.returncode is None:  # otherwise another process has taken the port
                return lambda: study(port)

    yield started
    for server in servers:
        server.terminate()
        server.wait(TIMEOUT_SECONDS)


def get(port: int, path: str) -> Any:
    """Return a response of the dashboard, None while it does not listen."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{path}", timeout=TIMEOUT_SECONDS) as response:
            return json.load(response)
    except ConnectionRefusedError:
        return None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ConnectionRefusedError):
            return None
        raise


def study(port: int) -> dict[str, Any]:
    (summary,) = get(port, "studies")["study_summaries"]
    return get(port, f"studies/{summary['study_id']}")


def until(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_SECONDS
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.2)


def shown_trials(study: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the trials by student, with mappings for lists of names and values."""
    trials = {}
    for trial in study["trials"]:
        attributes = {item["key"]: item["value"].strip('"') for item in trial["user_attrs"]}
        params = {item["name"]: item["param_external_value"].strip("'") for item in trial["params"]}
        epochs = {item["step"]: item["value"] for item in trial["intermediate_values"]}
        trials[attributes["student"]] = trial | {"params": params, "attributes": attributes, "epochs": epochs}
    assert len(trials) == len(study["trials"])
    return trials


def assert_agrees(folder: Path, study: dict[str, Any]) -> None:
    """The dashboard agrees with students.csv and the rows."""
    students.write_students(folder, load_experiment(folder).students)
    rows, trials = pandas.read_csv(paths.students_file(folder), index_col="trial"), shown_trials(study)
    epochs = students.read_epochs(folder)
    assert set(trials) == set(rows.index)
    for name, row in rows.iterrows():
        trial, of = trials[name], epochs[epochs["trial"] == name]
        is_complete = row["status"] == "finished" and row["stage"] != "baseline"
        baseline = row["status"] == "finished" and not is_complete
        assert trial["state"] == STATES["stopped" if baseline else row["status"]]
        assert trial.get("values") == ([row["val_accuracy"]] if is_complete else None)
        assert trial["epochs"] == dict(zip(of["epoch"], of["val_accuracy"], strict=True))
        knobs = {name: row[name] for name in ("method.alpha", "method.temperature") if not pandas.isna(row[name])}
        assert {name: float(value) for name, value in trial["params"].items()} == knobs
        assert [trial["attributes"][name] for name in ("stage", "seed")] == [row["stage"], str(row["seed"])]


def test_a_finished_experiment_agrees_with_its_table(serve, broken):
    JournalTracker(broken, space.load_space(paths.space_file(broken))).update_all(students.histories(broken))
    study = serve(paths.journal_file(broken))()
    assert_agrees(broken, study)
    assert study["directions"] == ["maximize"]
    assert sum(trial["state"] == "Pruned" for trial in study["trials"]) == 2 + 3  # with the baselines


def test_a_running_search_and_a_retried_student_are_followed(serve, build):
    built = build(seeds=(0,))
    values = {"method.alpha": 0.5, "method.temperature": 4}
    running = built.student("explore", values, 1, end=None, epochs=1)
    failed = built.student("explore", values, 2, end="failed", epochs=1)
    journal = JournalTracker(built.folder, space.load_space(paths.space_file(built.folder)))
    journal.update_all(students.histories(built.folder))
    get_study = serve(paths.journal_file(built.folder))
    assert_agrees(built.folder, get_study())
    built.epoch(running, 2, 0.95)
    journal.update(students.history(built.folder, running))
    until(lambda: len(shown_trials(get_study())[running]["epochs"]) == 2)
    built.row(running, kind="end", status="stopped", reason=None, test_accuracy=None)
    built.row(failed, **records.read_rows(built.folder, failed)[0])
    built.epoch(failed, 2, 0.95)
    journal.update_all(students.histories(built.folder))  # writes a new study into the same file
    until(lambda: shown_trials(get_study())[failed]["state"] == "Running")
    assert_agrees(built.folder, get_study())
