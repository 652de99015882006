"""The students as an Optuna study in optuna.journal, for optuna-dashboard.

The journal is drawn from the rows, and no search reads it. The file only grows, so an open dashboard can go on where
it stopped reading. If appending cannot make the study agree with the rows, for example because a failed student is
retried, the study is deleted in the journal and written again.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import optuna  # noqa: TID251
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock  # noqa: TID251
from optuna.study import StudyDirection  # noqa: TID251

from results.paths import Folder, journal_file
from results.students import History, read_teacher_weights
from results.trackers.optuna_trials import (
    STUDENT_ATTRIBUTE,
    Trial,
    is_continued_by,
    knob_distributions,
    student_trial,
)
from spaces.objectives import objective_direction
from spaces.space import Space

NOTE_VERSION, NOTE_TEXT = "dashboard:note_ver", "dashboard:note_str:0"
MAX_NOTE_CHARACTERS = 2045
DIRECTIONS = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}


class JournalTracker:
    """The journal of one experiment."""

    def __init__(self, folder: Folder, space: Space) -> None:
        self._space, self._knobs = space, knob_distributions(space, read_teacher_weights(folder))
        self._storage = _open_journal(folder)
        self._open_study()

    def update(self, student: History) -> None:
        """Write the present rows of a student.

        A retried student becomes another trial.
        """
        self._write(student_trial(student, self._space, self._knobs))

    def update_all(self, students: Iterable[History]) -> None:
        """Make the journal agree with all students, in a new study if needed."""
        ordered = sorted(students, key=lambda student: student.start.get("time", 0.0))
        trials = {student.start["trial"]: student_trial(student, self._space, self._knobs) for student in ordered}
        stored = self._stored_trials()
        agrees = all(is_continued_by(old, trials.get(old.user_attrs.get(STUDENT_ATTRIBUTE, ""))) for old in stored)
        if not agrees or len(self._trials) < len(stored):
            self._storage.delete_study(self._study)
            self._open_study()
        for trial in trials.values():
            self._write(trial)

    def close(self, students: Sequence[History], *, done: bool) -> None:
        """Make the journal agree with all students; a study has no end."""
        self.update_all(students)

    def write_note(self, text: str) -> None:
        """Write the note of the study, unless it is the present one.

        These are the attributes of optuna-dashboard's save_note, without its package. A note of several parts, as
        this package writes for long texts, is not needed.
        """
        attributes = self._storage.get_study_system_attrs(self._study)
        if attributes.get(NOTE_TEXT) != (note := text[:MAX_NOTE_CHARACTERS]):
            self._storage.set_study_system_attr(self._study, NOTE_VERSION, attributes.get(NOTE_VERSION, 0) + 1)
            self._storage.set_study_system_attr(self._study, NOTE_TEXT, note)

    def _open_study(self) -> None:
        objectives, name = self._space.search.objectives, self._space.name
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if name not in optuna.get_all_study_names(self._storage):
            directions = [DIRECTIONS[objective_direction(objective)] for objective in objectives]
            study = optuna.create_study(storage=self._storage, study_name=name, directions=directions)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                study.set_metric_names(objectives)
        self._study = self._storage.get_study_id_from_name(name)
        self._trials = {trial.user_attrs.get(STUDENT_ATTRIBUTE, ""): trial for trial in self._stored_trials()}

    def _stored_trials(self) -> list[Trial]:
        return self._storage.get_all_trials(self._study, deepcopy=False)

    def _write(self, new: Trial) -> None:
        student = new.user_attrs[STUDENT_ATTRIBUTE]
        old = self._trials.get(student)
        if old is None or (old.state.is_finished() and not is_continued_by(old, new)):
            new._trial_id = self._storage.create_new_trial(self._study, new)
        elif old.state.is_finished():
            return
        else:
            new._trial_id = old._trial_id
            self._append(old, new)
        self._trials[student] = new

    def _append(self, old: Trial, new: Trial) -> None:
        """Append new values of a running trial."""
        for epoch, value in new.intermediate_values.items():
            if old.intermediate_values.get(epoch) != value:
                self._storage.set_trial_intermediate_value(old._trial_id, epoch, value)
        for name, value in new.user_attrs.items():
            if old.user_attrs.get(name) != value:
                self._storage.set_trial_user_attr(old._trial_id, name, value)
        if new.state.is_finished():
            self._storage.set_trial_state_values(old._trial_id, new.state, new.values)


def start_tracker(folder: Path, space: Space, option: Any, students: Sequence[History]) -> JournalTracker:
    """Start the journal of a run, in agreement with these students."""
    tracker = JournalTracker(folder, space)
    tracker.update_all(students)
    return tracker


def _open_journal(folder: Folder) -> optuna.storages.JournalStorage:
    """Open the journal of a folder.

    A damaged one is deleted: the rows have everything in it.
    """
    path = journal_file(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes() if path.exists() else b""
    if content and not content.endswith(b"\n"):  # the next line would be appended to a half one
        path.unlink()
    try:
        return _journal_storage(str(path))
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError):
        path.unlink()
        return _journal_storage(str(path))


def _journal_storage(path: str) -> optuna.storages.JournalStorage:
    # Optuna's default lock is a symbolic link, which some file systems lack
    return optuna.storages.JournalStorage(JournalFileBackend(path, JournalFileOpenLock(path)))
