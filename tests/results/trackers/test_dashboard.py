"""The real optuna-dashboard on a journal, asked over HTTP as its own page asks it."""

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

from results import experiment as experiments
from results import records, students
from results.trackers.optuna_journal import Journal
from spaces import space

pytestmark = pytest.mark.slow
PATIENCE = 60  # seconds; the dashboard looks into the file every few
STATES = {"finished": "Complete", "stopped": "Pruned", "diverged": "Pruned", "failed": "Fail", "running": "Running"}
Ask = Callable[[], dict[str, Any]]


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Ask]]:
    """Starts optuna-dashboard on a free port of the loopback; what it returns asks for the study in the journal."""
    servers = []

    def started(journal: Path) -> Ask:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        program = Path(sys.executable).parent / "optuna-dashboard"
        command = [str(program), str(journal), "--host", "127.0.0.1", "--port", str(port), "--quiet"]
        servers.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        until(lambda: get(port, "studies") is not None)
        return lambda: study(port)

    yield started
    for server in servers:
        server.terminate()
        server.wait(PATIENCE)


def get(port: int, path: str) -> Any:
    """An answer of the dashboard, None while it does not listen."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{path}", timeout=PATIENCE) as answer:
            return json.load(answer)
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
    end = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.2)


def shown(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The trials of the dashboard by student, its lists of names and values as mappings."""
    trials = {}
    for trial in found["trials"]:
        attributes = {each["key"]: each["value"].strip('"') for each in trial["user_attrs"]}
        params = {each["name"]: each["param_external_value"].strip("'") for each in trial["params"]}
        reached = {each["step"]: each["value"] for each in trial["intermediate_values"]}
        trials[attributes["student"]] = trial | {"params": params, "about": attributes, "reached": reached}
    assert len(trials) == len(found["trials"])
    return trials


def compare(folder: Path, found: dict[str, Any]) -> None:
    """The dashboard shows what students.csv and the rows say, student by student."""
    students.write(folder, experiments.load(folder).students)
    rows, trials = pandas.read_csv(records.students_file(folder), index_col="trial"), shown(found)
    epochs = students.epochs(folder)
    assert set(trials) == set(rows.index)
    for name, row in rows.iterrows():
        trial, of = trials[name], epochs[epochs["trial"] == name]
        assert trial["state"] == STATES[row["status"]]
        assert trial.get("values") == ([row["val_accuracy"]] if row["status"] == "finished" else None)
        assert trial["reached"] == dict(zip(of["epoch"], of["val_accuracy"], strict=True))
        knobs = {each: row[each] for each in ("method.alpha", "method.temperature") if not pandas.isna(row[each])}
        assert {each: float(value) for each, value in trial["params"].items()} == knobs
        assert [trial["about"][each] for each in ("stage", "seed")] == [row["stage"], str(row["seed"])]


def test_a_finished_experiment_is_shown_as_it_is_in_the_table(serve, broken):
    Journal(broken, space.load(records.space_file(broken))).tell_all(students.histories(broken))
    found = serve(records.journal_file(broken))()
    compare(broken, found)
    assert found["directions"] == ["maximize"]
    assert sum(trial["state"] == "Pruned" for trial in found["trials"]) == 2


def test_it_follows_a_search_that_goes_on_and_one_whose_failed_student_is_tried_again(serve, build):
    made = build(seeds=(0,))
    values = {"method.alpha": 0.5, "method.temperature": 4}
    running = made.student("explore", values, 1, end=None, epochs=1)
    failed = made.student("explore", values, 2, end="failed", epochs=1)
    journal = Journal(made.folder, space.load(records.space_file(made.folder)))
    journal.tell_all(students.histories(made.folder))
    ask = serve(records.journal_file(made.folder))
    compare(made.folder, ask())
    made.epoch(running, 2, 0.95)
    journal.tell(students.history(made.folder, running))
    until(lambda: len(shown(ask())[running]["reached"]) == 2)
    made.row(running, kind="end", status="stopped", reason=None, test_accuracy=None)
    made.row(failed, **records.rows(made.folder, failed)[0])
    made.epoch(failed, 2, 0.95)
    journal.tell_all(students.histories(made.folder))  # which begins a new study in the same file
    until(lambda: shown(ask())[failed]["state"] == "Running")
    compare(made.folder, ask())
