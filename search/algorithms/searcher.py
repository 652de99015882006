"""An adaptive search: Optuna proposes students, Ray trains them, and the rows on disk are its memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FixedTrial, Trial, TrialState, create_trial
from ray.tune.search import Searcher

from results.students import History, history
from search.algorithms import MODES, SAMPLERS
from search.students.spec import Pack, StudentSpec, status, student, suggested
from spaces.domain import Choice, Domain, Int, LogUniform, Uniform
from spaces.recipe import Recipe
from spaces.space import Space
from trainables.seeding import derive

DIRECTIONS = {"min": StudyDirection.MINIMIZE, "max": StudyDirection.MAXIMIZE}
ATTEMPTS = 1000  # proposals in a row that are too large or already known, before the space counts as exhausted


def draw(trial: Trial | FixedTrial, path: str, domain: Domain) -> Any:
    """Ask an Optuna trial for the label of one hole."""
    match domain:
        case Choice():
            return trial.suggest_categorical(path, list(domain.labels))
        case Uniform():
            return trial.suggest_float(path, domain.low, domain.high)
        case LogUniform():
            return trial.suggest_float(path, domain.low, domain.high, log=True)
        case Int():
            return trial.suggest_int(path, domain.low, domain.high)


class Suggestions(Searcher):
    """Proposes students, unfinished ones of an earlier run first, and learns from their rows.

    They are proposed `batch` at a time, and given out in the packs that `pack` makes of them.
    """

    def __init__(
        self,
        space: Space,
        folder: Path,
        fits: Callable[[Recipe], bool],
        deadline: float,
        pack: Callable[[list[StudentSpec]], list[Pack]],
        batch: int = 1,
    ):
        super().__init__()
        self.space, self.folder, self.fits, self.deadline = space, folder, fits, deadline
        self.pack, self.batch = pack, batch
        self.trials: dict[str, Trial] = {}  # of the students that were proposed, by their keys
        self.waiting: list[Pack] = []
        self.given: dict[str, Pack] = {}  # by Ray's trial id
        self.proposed: list[StudentSpec] = []  # and given out
        histories = suggested(folder)
        self.begun = frozenset(past.start["trial"] for past in histories)
        self.known = set(self.begun)
        self.left = (space.search.trials or 0) - len(histories)
        # A resumed search must not repeat the proposals with which it began.
        seed = derive(space.search.seed, "search", len(histories)) % 2**32
        sampler = SAMPLERS[space.search.algorithm](space.search, seed)
        self.study = optuna.create_study(sampler=sampler, direction=DIRECTIONS[MODES[space.search.metric]])
        self.unfinished = [past.start["suggested"] for past in histories if not self._remember(past)]

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles searchers to restore them; here the rows are what is restored from

    def suggest(self, trial_id: str) -> Any:
        """The next students as a Ray config, or FINISHED."""
        if not self.waiting:
            self.waiting = self.pack(list(islice(iter(self._next, None), self.batch)))
        if time.time() >= self.deadline:  # what was begun is finished, but nothing new begins
            self.waiting = [pack for pack in self.waiting if any(each.key in self.begun for each in pack.students)]
        if not self.waiting:
            return Searcher.FINISHED
        pack = self.given[trial_id] = self.waiting.pop(0)
        self.proposed += pack.students
        return {"pack": pack}

    def _next(self) -> StudentSpec | None:
        """An unfinished student or a new one; None where no more are wanted or found."""
        if self.unfinished:
            self.study.enqueue_trial(self.unfinished.pop(0))
            trial, proposal = self._ask()
        else:
            found = self._fresh() if self.left > 0 and time.time() < self.deadline else None
            if found is None:
                self.left = 0
                return None
            trial, proposal = found
            self.left -= 1
        self.known.add(proposal.key)
        self.trials[proposal.key] = trial
        return proposal

    def _fresh(self) -> tuple[Trial, StudentSpec] | None:
        """A proposal that is within the limits and new; others are told to the study as the worst there is."""
        for _ in range(ATTEMPTS):
            trial, proposal = self._ask()
            if proposal.key not in self.known and self.fits(proposal.recipe):
                return trial, proposal
            self.study.tell(trial, state=TrialState.PRUNED)
        return None

    def _ask(self) -> tuple[Trial, StudentSpec]:
        trial = self.study.ask()
        values = self.space.ask(lambda path, domain: draw(trial, path, domain))
        made = student(self.space, "explore", values, self.space.seeds[0], self.space.teacher_seeds[0])
        return trial, StudentSpec(made.stage, made.recipe, made.values, suggested=values)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Tell the study how students ended: only those that trained to the end count as complete."""
        for proposal in self.given.pop(trial_id).students:
            trial, past = self.trials[proposal.key], history(self.folder, proposal.key)
            # From the rows, for Ray tells neither of the epoch after which it stops a student nor of earlier runs.
            for row in past.epochs if past else []:
                trial.report(row[self.space.search.metric], row["epoch"])
            lost = error and status(past) is None
            state, value = (TrialState.FAIL, None) if lost else self._outcome(past)
            self.study.tell(trial, value, state=state)

    def _outcome(self, past: History | None) -> tuple[TrialState, float | None]:
        """How Optuna sees a student: stopped and diverged ones are pruned, failed ones say nothing of their knobs."""
        if past is not None and status(past) == "finished":
            return TrialState.COMPLETE, past.epochs[-1][self.space.search.metric]
        return (TrialState.FAIL if status(past) == "failed" else TrialState.PRUNED), None

    def _remember(self, past: History) -> bool:
        """Add a student of an earlier run to the study; False where it must go on training."""
        if status(past) in (None, "failed"):
            return False
        state, value = self._outcome(past)
        labels = past.start["suggested"]
        fixed = FixedTrial(labels)
        reached = {row["epoch"]: row[self.space.search.metric] for row in past.epochs}
        with suppress(ValueError):  # labels that this space cannot have suggested teach nothing about it
            self.space.ask(lambda path, domain: draw(fixed, path, domain))
            known = {"params": labels, "distributions": fixed.distributions}
            self.study.add_trial(create_trial(state=state, value=value, intermediate_values=reached, **known))
        return True

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the rows are the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the rows are the memory."""
