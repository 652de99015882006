"""Every scheduler, asked by a referee about students of tables instead of training."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ray.tune.schedulers import TrialScheduler

from results.students import History
from search.algorithms import SCHEDULERS
from search.algorithms.per_student import PerStudentScheduler
from search.algorithms.schedulers import SuccessiveHalving
from search.students.spec import Pack
from spaces.sections import Search

METRICS = pytest.mark.parametrize("metric", ["val_accuracy", "val_loss"])


class Trial:
    """As much of a Ray trial as a referee sees: its name differs in every run."""

    runs = 0

    def __init__(self, *keys: str):
        Trial.runs += 1
        self.trial_id, self.status = f"ray-{Trial.runs}", "RUNNING"
        self.config = {"pack": Pack(tuple(SimpleNamespace(key=key) for key in keys))}


class Race:
    """Students under one scheduler, of one run; remembers what was decided."""

    controller = SimpleNamespace(get_live_trials=lambda: [SimpleNamespace(status="PENDING")])

    def __init__(self, referee: PerStudentScheduler, metric: str = "val_accuracy"):
        self.referee, self.metric = referee, metric
        self.trials: dict[str, Trial] = {}
        self.stopped: set[str] = set()

    def result(self, key: str, epoch: int, value: float) -> str | None:
        """The decision about a student, or None where it has been stopped before."""
        if key in self.stopped:
            return None
        if key not in self.trials:
            self.trials[key] = Trial(key)
            self.referee.on_trial_add(self.controller, self.trials[key])
        result = {"rows": [{"trial": key, "epoch": epoch, self.metric: value}]}
        decision = self.referee.on_trial_result(self.controller, self.trials[key], result)
        if decision == TrialScheduler.STOP:
            self.stopped.add(key)
            self.referee.on_trial_complete(self.controller, self.trials[key], result)
        return decision


def judged(name: str, search: Search, epochs: int) -> PerStudentScheduler:
    return PerStudentScheduler(SCHEDULERS[name](search, epochs))


@pytest.fixture(params=SCHEDULERS)
def scheduler(request):
    return lambda search, epochs: judged(request.param, search, epochs)


@METRICS
def test_a_scheduler_lets_students_go_on_or_stops_them(scheduler, metric):
    race = Race(scheduler(Search(metric=metric), 9), metric)
    for epoch in range(1, 10):
        for student in range(6):
            decision = race.result(f"s{student}", epoch, 0.1 * student)
            # never PAUSE: Ray would start a paused student anew
            assert decision in (TrialScheduler.CONTINUE, TrialScheduler.STOP, None)


@METRICS
@pytest.mark.parametrize("name", ["asha", "median"])
def test_the_worst_is_stopped_and_the_best_is_not(name, metric):
    race = Race(judged(name, Search(metric=metric), 9), metric)
    sign = 1 if metric == "val_accuracy" else -1
    for epoch in range(1, 9):
        for place, student in enumerate(("best", "good", "fair", "poor", "worst")):
            race.result(student, epoch, -sign * place / 10)
    assert "worst" in race.stopped and "best" not in race.stopped


def test_a_student_that_ends_before_its_first_epoch_does_no_harm(scheduler):
    chosen = scheduler(Search(), 9)
    race = Race(chosen)
    diverged = Trial("diverged")
    chosen.on_trial_add(race.controller, diverged)
    chosen.on_trial_complete(race.controller, diverged, {"done": True})
    dead = Trial("dead")
    chosen.on_trial_add(race.controller, dead)
    chosen.on_trial_error(race.controller, dead)
    for student in range(5):
        race.result(f"s{student}", 1, 0.1 * student)


def test_grace_and_budget_may_be_equal_or_crossed(scheduler):
    for grace in (3, 5):
        race = Race(scheduler(Search(grace_period=grace), 3))
        assert race.result("a", 1, 0.5) == race.result("a", 2, 0.5) == TrialScheduler.CONTINUE


# A run: the accuracies of some students, and in which order they finish their epochs.
EPOCHS = 9
ACCURACY = st.integers(0, 20).map(lambda n: n / 20)
TABLE = st.lists(st.lists(ACCURACY, min_size=EPOCHS, max_size=EPOCHS), min_size=1, max_size=8)
ORDER = st.lists(st.integers(0, 7), max_size=60)


def arrivals(table: list[list[float]], order: list[int]) -> list[tuple[str, int, float]]:
    """The results in their order: the n-th time a student is named it finishes its n-th epoch."""
    done = dict.fromkeys(range(len(table)), 0)
    found = []
    for index in order:
        if index in done and done[index] < EPOCHS:
            found.append((f"s{index}", done[index] + 1, table[index][done[index]]))
            done[index] += 1
    return found


def rungs(halving: SuccessiveHalving) -> dict[int, dict[str, float]]:
    return dict(halving._brackets[0]._rungs)


@given(TABLE, ORDER, st.integers(1, 4), st.integers(2, 4))
def test_a_rung_holds_what_students_reached_in_exactly_its_epoch(table, order, grace, reduction):
    halving = SuccessiveHalving(Search(grace_period=grace, reduction=reduction), EPOCHS)
    race = Race(PerStudentScheduler(halving))
    for student, epoch, value in arrivals(table, order):
        race.result(student, epoch, value)
    for epoch, recorded in rungs(halving).items():
        assert epoch in halving.rungs
        assert all(value == table[int(student[1:])][int(epoch) - 1] for student, value in recorded.items())


@given(TABLE, ORDER, st.sets(st.integers(0, 59)))
def test_a_result_that_never_arrived_is_not_made_up_from_a_later_one(table, order, lost):
    """A worker may die between writing a row and telling Ray of it."""
    halving = SuccessiveHalving(Search(reduction=3), EPOCHS)
    race = Race(PerStudentScheduler(halving))
    for index, (student, epoch, value) in enumerate(arrivals(table, order)):
        if index not in lost:
            race.result(student, epoch, value)
    for epoch, recorded in rungs(halving).items():
        assert all(value == table[int(student[1:])][int(epoch) - 1] for student, value in recorded.items())


@given(TABLE, ORDER)
def test_the_last_epoch_ends_a_student(table, order):
    race = Race(judged("asha", Search(), EPOCHS))
    for student, epoch, value in arrivals(table, order):
        race.result(student, epoch, value)
        assert epoch < EPOCHS or student in race.stopped


@settings(deadline=None)
@given(TABLE, ORDER, st.integers(0, 60), st.sampled_from(sorted(SCHEDULERS)))
def test_a_scheduler_shown_the_rows_of_an_earlier_run_decides_as_if_it_had_been_one_run(table, order, cut, name):
    """First an undisturbed run; then one cut off after `cut` results and gone on with by new Ray trials."""
    search = Search(reduction=2)
    race = Race(judged(name, search, EPOCHS))
    told = [(*result, decision) for result in arrivals(table, order) if (decision := race.result(*result))]
    resumed = judged(name, search, EPOCHS)
    resumed.replay(histories(told[:cut]))
    again = Race(resumed)
    assert [again.result(*result[:3]) for result in told[cut:]] == [result[3] for result in told[cut:]]


@settings(deadline=None)
@given(TABLE, st.sampled_from(sorted(SCHEDULERS)), st.integers(1, 8))
def test_students_of_packs_are_judged_as_those_alone(table, name, width):
    """All are after the same epoch, in the same order; in the end nobody of a pack is left, and Ray stops it."""
    search = Search(reduction=2)
    alone, referee = Race(judged(name, search, EPOCHS)), judged(name, search, EPOCHS)
    names = [f"s{place}" for place in range(len(table))]
    packs = [names[i : i + width] for i in range(0, len(names), width)]
    trials = [Trial(*pack) for pack in packs]
    for trial in trials:
        referee.on_trial_add(Race.controller, trial)
    for epoch in range(1, EPOCHS + 1):
        for pack, trial in zip(packs, trials, strict=True):
            rows = []
            for each in pack:
                value = table[int(each[1:])][epoch - 1]
                alone.result(each, epoch, value)
                if each not in referee.stopped:
                    rows.append({"trial": each, "epoch": epoch, "val_accuracy": value})
            decision = referee.on_trial_result(Race.controller, trial, {"rows": rows})
            assert (decision == TrialScheduler.STOP) == (set(pack) <= referee.stopped)
        assert referee.stopped == alone.stopped


@pytest.mark.parametrize("name", SCHEDULERS)
def test_whose_verdict_was_lost_with_its_driver_is_judged_anew(name):
    """The driver died between the verdict and the end: the student is proposed again and trains on."""
    race = Race(judged(name, Search(), EPOCHS))
    told = [(f"s{place}", epoch, place / 10, "") for epoch in (1, 2, 3) for place in (4, 3, 2, 1, 0)]
    for student, epoch, value, _ in told:
        race.result(student, epoch, value)
    assert ("s0" in race.stopped) == (name != "none")
    resumed = judged(name, Search(), EPOCHS)
    resumed.replay(histories(told))
    assert Race(resumed).result("s4", 4, 0.9) == TrialScheduler.CONTINUE
    assert Race(resumed).result("s0", 4, 0.0) in (TrialScheduler.CONTINUE, TrialScheduler.STOP)


@settings(deadline=None)
@given(TABLE, st.randoms(use_true_random=False), st.sampled_from(sorted(SCHEDULERS)))
def test_rows_may_be_shown_in_another_order_than_they_were_judged(table, random, name):
    """Of two packs whose rows were written at the same time either was heard first."""
    told = [(f"s{place}", epoch, value, "") for place, row in enumerate(table) for epoch, value in enumerate(row, 1)]
    random.shuffle(told)
    told.sort(key=lambda result: result[1])
    judged(name, Search(reduction=2), EPOCHS).replay(histories(told))


def test_an_epoch_that_is_told_again_is_shown_once():
    """A worker died after its report: the student trains on, or its end is told once more."""
    shown = []
    referee = judged("none", Search(), EPOCHS)
    referee.scheduler.on_trial_result = lambda _, name, row: shown.append((name.trial_id, row["epoch"]))
    race = Race(referee)
    for epoch in (1, 2, 2, 3, 3):
        race.result("a", epoch, 0.5)
    assert shown == [("a", 1), ("a", 2), ("a", 3)]


def histories(told: list[tuple[str, int, float, str]]) -> list[History]:
    """The rows that a run leaves behind."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for time, (student, epoch, value, _) in enumerate(told):
        rows.setdefault(student, []).append({"epoch": epoch, "val_accuracy": value, "time": float(time)})
    return [History({"trial": student}, epochs, {}) for student, epochs in rows.items()]


def test_a_resumed_student_is_recorded_once():
    halving = SuccessiveHalving(Search(), EPOCHS)
    referee = PerStudentScheduler(halving)
    referee.replay(histories([("a", 1, 0.5, ""), ("b", 1, 0.6, "")]))
    race = Race(referee)  # the checkpoint of `a` was damaged: it begins anew, under another name
    race.result("a", 1, 0.5)
    race.result("a", 2, 0.55)
    race.result("a", 3, 0.7)
    assert rungs(halving) == {9: {}, 3: {"a": 0.7}, 1: {"a": 0.5, "b": 0.6}}
