"""The students as an Optuna study in optuna.journal, for optuna-dashboard: drawn from the rows, never read to search.

The file only grows: a dashboard that has it open goes on where it stopped reading. What cannot be said by adding to a
study, such as that a failed student was tried again, is said by deleting the study in it and beginning another.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import optuna  # noqa: TID251
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock  # noqa: TID251
from optuna.study import StudyDirection  # noqa: TID251

from results import records
from results.records import Folder
from results.students import History
from results.trackers.optuna_trials import STUDENT, Trial, goes_on, knobs, trial
from spaces.space import Space


class Journal:
    """The journal of one experiment: to be told of a student whenever there is something new about it."""

    def __init__(self, folder: Folder, space: Space) -> None:
        self._space, self._knobs = space, knobs(space)
        self._storage = _open(folder)
        self._begin()

    def tell(self, student: History) -> None:
        """Bring one student up to date; one that is tried again after its end becomes another trial."""
        self._write(trial(student, self._space, self._knobs))

    def tell_all(self, students: Iterable[History]) -> None:
        """Bring the journal up to date with all students there are, in a new study where it says anything else."""
        ordered = sorted(students, key=lambda student: student.start.get("time", 0.0))
        wanted = {each.start["trial"]: trial(each, self._space, self._knobs) for each in ordered}
        known = self._known()
        agrees = all(goes_on(old, wanted.get(old.user_attrs.get(STUDENT, ""))) for old in known)
        if not agrees or len(self._trials) < len(known):
            self._storage.delete_study(self._study)
            self._begin()
        for new in wanted.values():
            self._write(new)

    def close(self, students: Iterable[History], *, done: bool) -> None:
        """Bring the journal up to date for the last time; a study has no end of its own."""
        self.tell_all(students)

    def _begin(self) -> None:
        """Find the study and its trials, or make it."""
        metric, name = self._space.search.metric, self._space.name
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # otherwise it announces every study
        if name not in optuna.get_all_study_names(self._storage):
            direction = StudyDirection.MINIMIZE if metric.endswith("loss") else StudyDirection.MAXIMIZE
            made = optuna.create_study(storage=self._storage, study_name=name, direction=direction)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                made.set_metric_names([metric])
        self._study = self._storage.get_study_id_from_name(name)
        self._trials = {each.user_attrs.get(STUDENT, ""): each for each in self._known()}

    def _known(self) -> list[Trial]:
        return self._storage.get_all_trials(self._study, deepcopy=False)

    def _write(self, new: Trial) -> None:
        old = self._trials.get(new.user_attrs[STUDENT])
        if old is None or (old.state.is_finished() and not goes_on(old, new)):
            new._trial_id = self._storage.create_new_trial(self._study, new)
        elif old.state.is_finished():
            return
        else:
            new._trial_id = old._trial_id
            self._add(old, new)
        self._trials[new.user_attrs[STUDENT]] = new

    def _add(self, old: Trial, new: Trial) -> None:
        """Say what is new of a student that was running."""
        for epoch, value in new.intermediate_values.items():
            if old.intermediate_values.get(epoch) != value:
                self._storage.set_trial_intermediate_value(old._trial_id, epoch, value)
        for name, value in new.user_attrs.items():
            if old.user_attrs.get(name) != value:
                self._storage.set_trial_user_attr(old._trial_id, name, value)
        if new.state.is_finished():
            self._storage.set_trial_state_values(old._trial_id, new.state, new.values)


def _open(folder: Folder) -> optuna.storages.JournalStorage:
    """The journal of a folder, begun anew where it is damaged: everything in it is in the rows, too."""
    path = records.journal_file(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = path.read_bytes() if path.exists() else b""
    if content and not content.endswith(b"\n"):  # the next line would be glued to half a line
        path.unlink()
    try:
        return _storage(str(path))
    except (ValueError, LookupError, TypeError, AttributeError, AssertionError):
        path.unlink()
        return _storage(str(path))


def _storage(path: str) -> optuna.storages.JournalStorage:
    # The usual lock is a symbolic link, which not every file system has.
    return optuna.storages.JournalStorage(JournalFileBackend(path, JournalFileOpenLock(path)))
