"""Trackio: a project per space, a run per student.

Runs and epochs have fixed ids, and Trackio ignores an id that it has, so the same rows are shown once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from results import records
from results.experiment import load_experiment
from results.records import Row
from results.students import History, knob_values
from results.trackers.hparams import HPARAM_FIELDS
from results.trackers.tensorboard import EPOCH_TAGS, FINAL_TAGS, run_name
from results.verdict import experiment_verdict
from spaces.space import Space

GROUP_KEY = "_Group"  # by which Trackio's dashboard groups runs


class TrackioTracker:
    """The runs of one experiment, grouped by its folder's name."""

    def __init__(self, folder: Path, space: Space, project: str) -> None:
        from trackio import Markdown, SQLiteStorage  # an optional dependency

        self._storage: Any = SQLiteStorage
        self._markdown: Any = Markdown
        SQLiteStorage.validate_project_name(project)
        self._folder, self._knobs, self._project = folder, space.knobs, project
        started = records.read_environment(folder)["started"]
        self._id = hashlib.sha256(f"{folder.name} {started}".encode()).hexdigest()[:16]
        self._shown: dict[str, tuple[int, str]] = {}  # epochs and status of each student

    def update(self, student: History) -> None:
        """Log the new epochs of a student, and its end."""
        start, end, trial = student.start, student.end, student.start["trial"]
        epochs, status = len(student.epochs), end.get("status", "running")
        shown = self._shown.get(trial, (0, ""))
        if not student.epochs or shown == (epochs, status):
            return
        new = student.epochs[min(shown[0], epochs - 1) :]  # Trackio writes a new status with a row only
        rows = [(_tagged(row, EPOCH_TAGS), row, f"epoch {row['epoch']}") for row in new]
        if scores := _tagged(end, FINAL_TAGS):
            rows.append((scores, end | {"epoch": epochs}, "end"))
        self._log(
            run_name(start, self._knobs),
            f"{self._id}-{trial}",
            rows,
            {name: start.get(name) for name in HPARAM_FIELDS} | knob_values(start, self._knobs) | {"status": status},
        )
        self._shown[trial] = epochs, status

    def close(self, students: Sequence[History], *, done: bool) -> None:
        """Log the present rows of all students, and the verdict."""
        for student in students:
            self.update(student)
        ends = [student.end for student in students if student.end]
        if not ends:
            return
        verdict = experiment_verdict(load_experiment(self._folder))
        numbers = {"gain": verdict.gain, "gain_low": verdict.low, "gain_high": verdict.high}
        text = "\n\n".join([verdict.sentence, *verdict.details])
        row = {name: number for name, number in numbers.items() if number is not None}
        row |= {"verdict": self._markdown(text)._to_dict()}
        place = {"epoch": len(ends), "time": max(end["time"] for end in ends)}
        config = {"winner": verdict.winner, "status": "finished" if done else "interrupted"}
        label = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._log(f"verdict of {self._folder.name}", self._id, [(row, place, label)], config)

    def _log(self, name: str, run_id: str, rows: list[tuple[Row, Row, str]], config: Row) -> None:
        """Log rows of one run.

        Each has metrics, a row with step and time, and a label that is unique in its run.
        """
        self._storage.bulk_log(
            self._project,
            name,
            [metrics for metrics, _, _ in rows],
            steps=[row["epoch"] for _, row, _ in rows],
            timestamps=[datetime.fromtimestamp(row["time"], UTC).isoformat() for _, row, _ in rows],
            config={GROUP_KEY: self._folder.name} | {key: value for key, value in config.items() if value is not None},
            log_ids=[f"{run_id} {label}" for _, _, label in rows],
            run_id=run_id,
        )


def start_tracker(folder: Path, space: Space, option: str | None, students: Sequence[History]) -> TrackioTracker:
    """Log these students.

    `option` is Trackio's project, the space's name by default. Raises UserError if Trackio cannot write.
    """
    try:
        tracker = TrackioTracker(folder, space, option or space.name)
        for student in students:
            tracker.update(student)
    except (OSError, ValueError) as error:
        raise space.error("track.trackio", f"Trackio cannot write project {option or space.name}: {error}") from None
    return tracker


def _tagged(row: Row, tags: Mapping[str, str]) -> Row:
    """Return the metrics of a row under the tags of TensorBoard."""
    return {tag: row[name] for name, tag in tags.items() if row.get(name) is not None}
