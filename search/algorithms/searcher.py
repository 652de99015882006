"""Searcher: Optuna proposes students, Ray trains them.

The Optuna study is rebuilt from the rows on disk, if possible by repeating every proposal: then a resumed search
proposes what an uninterrupted one would. That holds for random draws, and for other samplers with one worker; with
several the order of the results decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import optuna
from optuna.trial import Trial, TrialState, create_trial
from ray.tune.search import Searcher

from results.fronts import objective_value
from results.students import History
from results.trackers.optuna_journal import DIRECTIONS
from search.algorithms import SAMPLERS
from search.algorithms.modes import METRIC_MODES
from search.algorithms.priors import PriorProposals
from search.algorithms.study_parameters import SearchedSpace, StudyParameters
from search.students.spec import Pack, StudentSpec, student_status
from spaces.search_section import NON_ADAPTIVE
from spaces.template import Values
from trainables.seeding import derive_seed

MAX_REJECTED = 1000  # proposals in a row that are too large or not new; then the space counts as exhausted


class StudentSearcher(Searcher):
    """Propose students and update an Optuna study from their rows.

    Unfinished students of an earlier run, among `earlier`, come first. `build_student` returns the student with some
    values, or None above the limit; `read_history` returns a student's rows by key. Students are proposed `batch_size`
    at a time; `pack` groups each batch into the packs that Ray trains, `max_running()` at a time. No new student is
    proposed after `deadline` (Unix time). `transferred` students of earlier experiments are trials of the study only.
    """

    def __init__(
        self,
        space: SearchedSpace,
        earlier: Sequence[History],
        read_history: Callable[[str], History | None],
        build_student: Callable[[Values], StudentSpec | None],
        deadline: float,
        pack: Callable[[list[StudentSpec]], list[Pack]],
        batch_size: int = 1,
        max_running: Callable[[], float] = lambda: float("inf"),
        transferred: Sequence[History] = (),
    ):
        super().__init__()
        self.search, self.read_history, self.build_student = space.search, read_history, build_student
        self.deadline, self.pack, self.batch_size, self.max_running = deadline, pack, batch_size, max_running
        self.parameters = StudyParameters(space)
        self.exhausted = False  # no new student within the limit was found
        self.optuna_trials: dict[str, Trial] = {}  # of proposed students, by key
        self.waiting_packs: list[Pack] = []
        self.running_packs: dict[str, Pack] = {}  # by Ray trial id
        self.proposed: list[StudentSpec] = []  # students that Ray has received
        self.resumed_keys = frozenset(past.start["trial"] for past in earlier)
        self.proposed_keys = set(self.resumed_keys)
        self.remaining = (self.search.trials or 0) - len(earlier)  # new students
        self.transferred = transferred
        self._begin_study(0)
        self.repeated: list[tuple[Trial, StudentSpec]] = []  # proposals of an earlier run to train
        expected = {past.start["trial"]: past for past in earlier}
        if not self._repeat_proposals(expected):
            # with the seed of the first run the sampler would repeat its first proposals
            self._begin_study(len(earlier))
            self.repeated = []
            expected = {past.start["trial"]: past for past in earlier}
        self.unfinished = [past.start["suggested"] for past in expected.values() if not self._add_to_study(past)]

    def _begin_study(self, earlier: int) -> None:
        """Begin a study after as many students of an earlier run."""
        seed = derive_seed(self.search.seed, "search", earlier) % 2**32
        sampler = SAMPLERS[self.search.algorithm](self.search, seed, self.parameters.distributions)
        directions = [DIRECTIONS[METRIC_MODES[name]] for name in self.search.objectives]
        self.study = optuna.create_study(sampler=sampler, directions=directions)
        self.start = [*(self.search.start or [])][earlier:]
        for past in self.transferred:
            self._add_to_study(past)
        self.priors = PriorProposals(self.search, self.parameters, self.study, seed)

    def _repeat_proposals(self, expected: dict[str, History]) -> bool:
        """Repeat the proposals of an earlier run, and remove them from `expected`.

        Returns False if an adaptive sampler proposes other students.
        """
        new: list[str] = []
        rejected = 0
        while expected and len(new) < self.remaining and rejected < MAX_REJECTED:
            trial, student = self._sample_new()
            if student is None or (student.key not in expected and student.key in self.proposed_keys):
                self.study.tell(trial, state=TrialState.PRUNED)
                rejected += 1
                continue
            past = expected.pop(student.key, None)
            if past is None and self.search.algorithm not in NON_ADAPTIVE:
                return False
            if past is None:  # proposed, but not started before the end of the earlier run
                new.append(student.key)
                self.proposed_keys.add(student.key)
            if student_status(past) in (None, "failed"):
                self.repeated.append((trial, student))
            else:
                self._report_student(trial, past)
            rejected = 0
        self.remaining -= len(new)
        return True

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles searchers to restore a run; a search is restored from its rows

    def suggest(self, trial_id: str) -> Any:
        """Return the next pack as a Ray config, None while all workers train, or FINISHED."""
        if len(self.running_packs) >= self.max_running():
            return None
        if not self.waiting_packs:
            self.waiting_packs = self.pack(list(islice(iter(self._next_student, None), self.batch_size)))
        if time.time() >= self.deadline:  # only students of an earlier run are trained to their end
            self.waiting_packs = [pack for pack in self.waiting_packs if self._is_resumed(pack)]
        if not self.waiting_packs:
            return Searcher.FINISHED
        pack = self.running_packs[trial_id] = self.waiting_packs.pop(0)
        self.proposed += pack.students
        return {"pack": pack}

    def _is_resumed(self, pack: Pack) -> bool:
        return any(student.key in self.resumed_keys for student in pack.students)

    @property
    def waiting(self) -> int:
        """Return the number of students not proposed yet, at most."""
        return len(self.repeated) + len(self.unfinished) + self.remaining

    def _next_student(self) -> StudentSpec | None:
        """Return an unfinished or a new student, or None."""
        sampled = self.repeated.pop(0) if self.repeated else self._unfinished_student()
        if sampled is None:
            sampled = self._new_student() if self.remaining > 0 and time.time() < self.deadline else None
            self.remaining = self.remaining - 1 if sampled else 0
        if sampled is None:
            return None
        trial, student = sampled
        self.proposed_keys.add(student.key)
        self.optuna_trials[student.key] = trial
        return student

    def _unfinished_student(self) -> tuple[Trial, StudentSpec] | None:
        """Return the next student of an earlier run, with the same values."""
        while self.unfinished:
            with suppress(ValueError):  # a damaged row may hold values outside the domains
                self.study.enqueue_trial(self.parameters.of_values(self.unfinished.pop(0))[0])
                trial, student = self._sample_student()
                if student is not None:
                    return trial, student
        return None

    def _new_student(self) -> tuple[Trial, StudentSpec] | None:
        """Return a new student within the limit.

        Rejected ones are pruned in the study.
        """
        for _ in range(MAX_REJECTED):
            trial, student = self._sample_new()
            if student is not None and student.key not in self.proposed_keys:
                return trial, student
            self.study.tell(trial, state=TrialState.PRUNED)
        self.exhausted = True
        return None

    def _sample_new(self) -> tuple[Trial, StudentSpec | None]:
        """Sample a student, the start points first, then some from the priors."""
        fixed = self.parameters.fixed(self.start.pop(0)) if self.start else self.priors.draw()
        if fixed:
            self.study.enqueue_trial(fixed)
        return self._sample_student()

    def _sample_student(self) -> tuple[Trial, StudentSpec | None]:
        trial = self.study.ask()
        return trial, self.build_student(self.parameters.sample(trial))

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Report the students of a trial to the study."""
        for student in self.running_packs.pop(trial_id).students:
            # From the rows: Ray reports neither the epoch after which it stops a student nor epochs of earlier runs.
            self._report_student(self.optuna_trials[student.key], self.read_history(student.key), error)

    def _report_student(self, trial: Trial, past: History | None, error: bool = False) -> None:
        for epoch, metric in self._metric_by_epoch(past).items():
            trial.report(metric, epoch)
        dropped = error and student_status(past) is None
        state, values = (TrialState.FAIL, None) if dropped else self._optuna_result(past)
        self.study.tell(trial, values, state=state)

    def _metric_by_epoch(self, past: History | None) -> dict[int, float]:
        """Return the intermediate values of a student.

        Optuna takes none for several objectives.
        """
        rows = past.epochs if past and not self.search.metrics else []
        return {row["epoch"]: row[self.search.metric] for row in rows}

    def _optuna_result(self, past: History | None) -> tuple[TrialState, list[float] | None]:
        """Return Optuna's state and values of a student.

        Finished is complete, failed is failed, all else is pruned. A failed student is no information about its knobs.
        """
        if past is not None and student_status(past) == "finished":
            return TrialState.COMPLETE, [objective_value(past, name) for name in self.search.objectives]
        return (TrialState.FAIL if student_status(past) == "failed" else TrialState.PRUNED), None

    def _add_to_study(self, past: History) -> bool:
        """Add a student of an earlier run to the study.

        Returns False if it is unfinished.
        """
        if student_status(past) in (None, "failed"):
            return False
        state, values = self._optuna_result(past)
        with suppress(ValueError):  # labels outside the present domains are left out
            params, distributions = self.parameters.of_values(past.start["suggested"])
            self.study.add_trial(
                create_trial(
                    state=state,
                    values=values,
                    intermediate_values=self._metric_by_epoch(past),
                    params=params,
                    distributions=distributions,
                )
            )
        return True

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the study is rebuilt from the rows."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the study is rebuilt from the rows."""
