"""MLflow: an experiment is a run, with a run per student below it.

Runs are found again by their tags, so the same rows always give the same runs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results import records, wording
from results.experiment import load_experiment
from results.records import Row
from results.report.page import report_page
from results.students import History, knob_values
from results.verdict import experiment_verdict
from spaces.metrics import TEST_FIELDS, VAL_FIELDS
from spaces.space import Space

EXPERIMENT_TAG, STUDENT_TAG, PARENT_TAG = "distil.search", "distil.student", "mlflow.parentRunId"
NOTE_TAG = "mlflow.note.content"  # description of a run in MLflow's pages
EPOCH_METRICS = ("epoch", "train_loss", *VAL_FIELDS, "lr", "seconds")
FINAL_METRICS = (*TEST_FIELDS, "agreement")
RUN_STATUSES = {"finished": "FINISHED", "stopped": "KILLED", "diverged": "FAILED", "failed": "FAILED"}
MAX_PER_REQUEST = 1000  # metrics, or runs

# No telemetry, and an unreachable server fails within seconds. Variables that are set already are kept.
ENVIRONMENT_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


@dataclass
class StudentRun:
    """State of a student's run; `epoch` is the last one logged."""

    run_id: str
    status: str
    epoch: int
    has_params: bool


class MlflowTracker:
    """The runs of one experiment."""

    def __init__(self, folder: Path, space: Space, uri: str | None) -> None:
        self._folder, self._knobs, self._client = folder, space.knobs, _mlflow_client(uri)
        self._mlflow_experiment = _experiment_id(self._client, space.name)
        self._parent = self._open_parent_run(folder)
        self._runs = self._student_runs()

    def update(self, student: History) -> None:
        """Log the present rows of a student.

        An epoch is logged once: trained again, it is the same.
        """
        run = self._runs.get(student.start["trial"]) or self._create_run(student.start)
        if not run.has_params:
            self._log_params(run, student.start)
        end = student.end
        status = RUN_STATUSES[end["status"]] if end else "RUNNING"
        epochs = [row for row in student.epochs if row["epoch"] > run.epoch]
        metrics = [metric for row in epochs for metric in _row_metrics(row, EPOCH_METRICS, row["epoch"])]
        if status != run.status:
            metrics += _row_metrics(end, FINAL_METRICS, len(student.epochs))
        for start in range(0, len(metrics), MAX_PER_REQUEST):
            self._client.log_batch(run.run_id, metrics[start : start + MAX_PER_REQUEST])
        if status != run.status:
            for name, text in (("status", end.get("status", "running")), ("reason", end.get("reason") or "")):
                self._client.set_tag(run.run_id, name, text)
            self._set_status(run.run_id, status, end)
        run.status, run.epoch = status, max([run.epoch, *(row["epoch"] for row in epochs)])

    def close(self, students: Sequence[History], *, done: bool) -> None:
        """Log the present rows of all students and the end of the run."""
        self._runs = self._student_runs()  # an interruption can come between a request and its response
        for student in students:
            self.update(student)
        if students:
            self._log_result()
        self._set_status(self._parent, "FINISHED" if done else "KILLED", {})

    def _log_result(self) -> None:
        """Log verdict, gain and report in the run of the experiment."""
        experiment = load_experiment(self._folder)
        verdict = experiment_verdict(experiment)
        note = "\n\n".join([verdict.sentence, *verdict.details])
        for name, text in ((NOTE_TAG, note), ("verdict", verdict.sentence), ("winner", verdict.winner)):
            self._client.set_tag(self._parent, name, text)
        for name, number in (("gain", verdict.gain), ("gain_low", verdict.low), ("gain_high", verdict.high)):
            if number is not None:
                self._client.log_metric(self._parent, name, number)
        self._client.log_text(self._parent, report_page(experiment), "report.html")

    def _open_parent_run(self, folder: Path) -> str:
        """Return the run of the experiment in a folder, a new one the first time."""
        environment = records.read_environment(folder)
        key = hashlib.sha256(f"{folder.name} {environment['started']}".encode()).hexdigest()[:16]
        for run in self._search_runs(EXPERIMENT_TAG, key):
            self._set_status(run.info.run_id, "RUNNING", {})
            return run.info.run_id
        data = environment["data"]
        tags = {name: str(environment[name]) for name in ("command", "device", "loss", "precision")}
        tags |= {"data": data["name"], "split": data["split"], EXPERIMENT_TAG: key}
        return self._client.create_run(self._mlflow_experiment, run_name=folder.name, tags=tags).info.run_id

    def _student_runs(self) -> dict[str, StudentRun]:
        runs = self._search_runs(PARENT_TAG, self._parent)
        return {run.data.tags[STUDENT_TAG]: _student_run(run) for run in runs}

    def _create_run(self, start: Row) -> StudentRun:
        configuration = wording.format_configuration(knob_values(start, self._knobs), self._knobs)
        name = ", ".join(filter(None, (configuration, f"seed {start['seed']}")))
        tags = {PARENT_TAG: self._parent, STUDENT_TAG: start["trial"], "stage": start["stage"], "status": "running"}
        run = self._client.create_run(self._mlflow_experiment, _milliseconds(start), tags, name)
        return self._runs.setdefault(start["trial"], _student_run(run))

    def _log_params(self, run: StudentRun, start: Row) -> None:
        seeds = {name: start[name] for name in ("stage", "seed", "teacher_seed")}
        self._client.log_batch(run.run_id, params=_mlflow_params(seeds | knob_values(start, self._knobs)))
        run.has_params = True

    def _set_status(self, run_id: str, status: str, end: Row) -> None:
        if status == "RUNNING":
            self._client.update_run(run_id, status)
        else:
            self._client.set_terminated(run_id, status, _milliseconds(end) if end else None)

    def _search_runs(self, tag: str, value: str) -> Iterator[Any]:
        token: str | None = ""
        while token is not None:
            page = self._client.search_runs(
                [self._mlflow_experiment],
                f"tags.`{tag}` = '{value}'",
                max_results=MAX_PER_REQUEST,
                page_token=token or None,
            )
            yield from page
            token = page.token or None


def start_tracker(folder: Path, space: Space, option: str | None, students: Sequence[History]) -> MlflowTracker:
    """Connect to MLflow and log these students.

    `option` is a tracking URI, None for MLflow's default. Raises UserError if MLflow cannot be reached.
    """
    try:
        tracker = MlflowTracker(folder, space, option)
        for student in students:
            tracker.update(student)
    except Exception as error:  # of a store, a server or the network: they have no common class
        reason = " ".join(str(error).split())
        address = option or "its default address"
        raise space.error("track", f"MLflow cannot be reached at {address}: {reason[:300]}") from None
    return tracker


def _mlflow_client(uri: str | None) -> Any:
    for name, value in ENVIRONMENT_DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient  # an optional dependency, and slow to import

    return MlflowClient(tracking_uri=uri)


def _experiment_id(client: Any, name: str) -> str:
    experiment = client.get_experiment_by_name(name)
    return experiment.experiment_id if experiment else client.create_experiment(name)


def _student_run(run: Any) -> StudentRun:
    epoch = int(run.data.metrics.get("epoch", 0))
    return StudentRun(run.info.run_id, run.info.status, epoch, bool(run.data.params))


def _row_metrics(row: Row, names: Iterable[str], epoch: int) -> list[Any]:
    from mlflow.entities import Metric

    numbers = {name: row[name] for name in names if row.get(name) is not None}
    return [Metric(name, number, _milliseconds(row), epoch) for name, number in numbers.items()]


def _mlflow_params(values: Mapping[str, Any]) -> list[Any]:
    from mlflow.entities import Param

    return [Param(name, str(value)) for name, value in values.items()]


def _milliseconds(row: Row) -> int:
    return round(1000 * row["time"])
