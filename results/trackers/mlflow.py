"""An experiment as a run of MLflow with a run per student below it: the same rows give the same runs, however often."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results import records, wording
from results.records import Row
from results.students import History, labels
from spaces.space import Space

# The tags by which runs are found again.
SEARCH, STUDENT, PARENT = "distil.search", "distil.student", "mlflow.parentRunId"
EPOCH = ("epoch", "train_loss", "val_loss", "val_accuracy", "val_macro_f1", "val_auc", "lr", "seconds")
END = ("test_accuracy", "test_loss", "test_macro_f1", "test_auc", "test_f1", "agreement")
STATUS = {"finished": "FINISHED", "stopped": "KILLED", "diverged": "FAILED", "failed": "FAILED"}
MOST = 1000  # metrics, or runs, in one request

# Nobody is told that MLflow is used, and a server that is gone costs seconds; whoever has set these is right.
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


@dataclass
class Told:
    """What MLflow knows of a student: its run, how that stands, its last epoch, and whether it has its parameters."""

    run: str
    status: str
    epoch: int
    described: bool


class Mlflow:
    """The runs of one experiment, to be told of a student whenever there is something new about it."""

    def __init__(self, folder: Path, space: Space, uri: str | None) -> None:
        self._knobs, self._client = space.knobs, _client(uri)
        self._experiment = _experiment(self._client, space.name)
        self._parent = self._search(folder)
        self._told = self._known()

    def tell(self, student: History) -> None:
        """Bring one student up to date; an epoch is told of once, for trained again it is the same."""
        told = self._told.get(student.start["trial"]) or self._create(student.start)
        if not told.described:
            self._describe(told, student.start)
        end = student.end
        status = STATUS[end["status"]] if end else "RUNNING"
        new = [row for row in student.epochs if row["epoch"] > told.epoch]
        metrics = [metric for row in new for metric in _metrics(row, EPOCH, row["epoch"])]
        if status != told.status:
            metrics += _metrics(end, END, len(student.epochs))
        for at in range(0, len(metrics), MOST):
            self._client.log_batch(told.run, metrics[at : at + MOST])
        if status != told.status:
            for name, word in (("status", end.get("status", "running")), ("reason", end.get("reason") or "")):
                self._client.set_tag(told.run, name, word)
            self._turn(told.run, status, end)
        told.status, told.epoch = status, max([told.epoch, *(row["epoch"] for row in new)])

    def tell_all(self, students: Iterable[History]) -> None:
        """Bring all students up to date."""
        for student in students:
            self.tell(student)

    def close(self, students: Iterable[History], *, done: bool) -> None:
        """Bring all students up to date, and say that the experiment is over, or was interrupted."""
        self._told = self._known()  # an interruption may have come when MLflow had done what it was asked
        self.tell_all(students)
        self._turn(self._parent, "FINISHED" if done else "KILLED", {})

    def _search(self, folder: Path) -> str:
        """The run of the experiment in a folder, found by the folder's name and when it began, or a new one."""
        about = records.environment(folder)
        name = hashlib.sha256(f"{folder.name} {about['started']}".encode()).hexdigest()[:16]
        for known in self._runs(SEARCH, name):
            self._turn(known.info.run_id, "RUNNING", {})
            return known.info.run_id
        tags = {name: str(about[name]) for name in ("command", "device", "loss", "precision")}
        tags |= {"data": about["data"]["name"], "split": about["data"]["split"], SEARCH: name}
        return self._client.create_run(self._experiment, run_name=folder.name, tags=tags).info.run_id

    def _known(self) -> dict[str, Told]:
        return {run.data.tags[STUDENT]: _told(run) for run in self._runs(PARENT, self._parent)}

    def _create(self, start: Row) -> Told:
        """The run of a student, by its key."""
        values = labels(start, self._knobs)
        name = ", ".join(filter(None, (wording.configuration(values, self._knobs), f"seed {start['seed']}")))
        tags = {PARENT: self._parent, STUDENT: start["trial"], "stage": start["stage"], "status": "running"}
        made = self._client.create_run(self._experiment, _milliseconds(start), tags, name)
        return self._told.setdefault(start["trial"], _told(made))

    def _describe(self, told: Told, start: Row) -> None:
        """Say a student's knobs and seeds, which are its run's parameters."""
        fixed = {name: start[name] for name in ("stage", "seed", "teacher_seed")}
        self._client.log_batch(told.run, params=_params(fixed | labels(start, self._knobs)))
        told.described = True

    def _turn(self, run: str, status: str, end: Row) -> None:
        if status == "RUNNING":
            self._client.update_run(run, status)
        else:
            self._client.set_terminated(run, status, _milliseconds(end) if end else None)

    def _runs(self, tag: str, value: str) -> Iterator[Any]:
        """All runs with this tag."""
        token: str | None = ""
        while token is not None:
            found = self._client.search_runs(
                [self._experiment], f"tags.`{tag}` = '{value}'", max_results=MOST, page_token=token or None
            )
            yield from found
            token = found.token or None


def connect(folder: Path, space: Space, uri: str | None, students: Iterable[History]) -> Mlflow:
    """MLflow, told of all earlier students; raise UserError where it cannot be."""
    try:
        known = Mlflow(folder, space, uri)
        known.tell_all(students)
    except Exception as error:  # of a store, a server or the network: they have no common class
        reason = " ".join(str(error).split())
        raise space.error("track", f"MLflow at {uri or 'its default address'}: {reason[:300]}") from None
    return known


def _client(uri: str | None) -> Any:
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient  # an optional dependency, which takes a second to import

    return MlflowClient(tracking_uri=uri)


def _experiment(client: Any, name: str) -> str:
    known = client.get_experiment_by_name(name)
    return known.experiment_id if known else client.create_experiment(name)


def _told(run: Any) -> Told:
    return Told(run.info.run_id, run.info.status, int(run.data.metrics.get("epoch", 0)), bool(run.data.params))


def _metrics(row: Row, names: Iterable[str], epoch: int) -> list[Any]:
    from mlflow.entities import Metric

    found = {name: row.get(name) for name in names}
    return [Metric(name, value, _milliseconds(row), epoch) for name, value in found.items() if value is not None]


def _params(values: Mapping[str, Any]) -> list[Any]:
    from mlflow.entities import Param

    return [Param(name, str(value)) for name, value in values.items()]


def _milliseconds(row: Row) -> int:
    return round(1000 * row["time"])
