"""Every scheduler through its adapter; tables of accuracies stand in for training."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.tune.schedulers import TrialScheduler

from results.students import History
from search.algorithms import SCHEDULERS
from search.algorithms.per_student import PerStudentScheduler
from search.algorithms.schedulers import SuccessiveHalving
from search.students.spec import Pack
from spaces.search_section import Search

METRICS = pytest.mark.parametrize("metric", ["val_accuracy", "val_loss"])


class Trial:
    """Stand-in for a Ray trial; its id differs in every run."""

    runs = 0

    def __init__(self, *keys: str):
        Trial.runs += 1
        self.trial_id, self.status = f"ray-{Trial.runs}", "RUNNING"
        self.config = {"pack": Pack(tuple(SimpleNamespace(key=key) for key in keys))}


class Race:
    """Students of one run under one scheduler; records the decisions."""

    controller = SimpleNamespace(get_live_trials=lambda: [SimpleNamespace(status="PENDING")])

    def __init__(self, scheduler_adapter: PerStudentScheduler, metric: str = "val_accuracy"):
        self.scheduler_adapter, self.metric = scheduler_adapter, metric
        self.trials: dict[str, Trial] = {}
        self.stopped: set[str] = set()

    def result(self, key: str, epoch: int, value: float) -> str | None:
        """Return the decision on a student, None if it was stopped before."""
        if key in self.stopped:
            return None
        if key not in self.trials:
            self.trials[key] = Trial(key)
            self.scheduler_adapter.on_trial_add(self.controller, self.trials[key])
        result = {"rows": [{"trial": key, "epoch": epoch, self.metric: value}]}
        decision = self.scheduler_adapter.on_trial_result(self.controller, self.trials[key], result)
        if decision == TrialScheduler.STOP:
            self.stopped.add(key)
            self.scheduler_adapter.on_trial_complete(self.controller, self.trials[key], result)
        return decision


def adapter_for(name: str, search: Search, epochs: int) -> PerStudentScheduler:
    return PerStudentScheduler(SCHEDULERS[name](search, epochs))


@pytest.fixture(params=SCHEDULERS)
def scheduler(request):
    return lambda search, epochs: adapter_for(request.param, search, epochs)


@METRICS
def test_a_scheduler_continues_or_stops(scheduler, metric):
    race = Race(scheduler(Search(metric=metric), 9), metric)
    for epoch in range(1, 10):
        for student in range(6):
            decision = race.result(f"s{student}", epoch, 0.1 * student)
            # never PAUSE: Ray would restart a paused student
            assert decision in (TrialScheduler.CONTINUE, TrialScheduler.STOP, None)


@METRICS
@pytest.mark.parametrize("name", ["asha", "median"])
def test_the_worst_is_stopped_and_the_best_is_not(name, metric):
    race = Race(adapter_for(name, Search(metric=metric), 9), metric)
    sign = 1 if metric == "val_accuracy" else -1
    for epoch in range(1, 9):
        for place, student in enumerate(("best", "good", "fair", "poor", "worst")):
            race.result(student, epoch, -sign * place / 10)
    assert "worst" in race.stopped and "best" not in race.stopped


def test_a_student_may_end_before_its_first_epoch(scheduler):
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


# A run: accuracies of some students, and the order in which they finish epochs.
EPOCHS = 9
ACCURACY = st.integers(0, 20).map(lambda n: n / 20)
TABLE = st.lists(st.lists(ACCURACY, min_size=EPOCHS, max_size=EPOCHS), min_size=1, max_size=8)
ORDER = st.lists(st.integers(0, 7), max_size=60)


def arrivals(table: list[list[float]], order: list[int]) -> list[tuple[str, int, float]]:
    """Return the results in order: the n-th occurrence of an index is its n-th epoch."""
    done = dict.fromkeys(range(len(table)), 0)
    arrived = []
    for index in order:
        if index in done and done[index] < EPOCHS:
            arrived.append((f"s{index}", done[index] + 1, table[index][done[index]]))
            done[index] += 1
    return arrived


def rungs(halving: SuccessiveHalving) -> dict[int, dict[str, float]]:
    return dict(halving._brackets[0]._rungs)


@given(TABLE, ORDER, st.integers(1, 4), st.integers(2, 4))
def test_a_rung_holds_results_of_exactly_its_epoch(table, order, grace, reduction):
    halving = SuccessiveHalving(Search(grace_period=grace, reduction=reduction), EPOCHS)
    race = Race(PerStudentScheduler(halving))
    for student, epoch, value in arrivals(table, order):
        race.result(student, epoch, value)
    for epoch, recorded in rungs(halving).items():
        assert epoch in halving.rungs
        assert all(value == table[int(student[1:])][int(epoch) - 1] for student, value in recorded.items())


@given(TABLE, ORDER, st.sets(st.integers(0, 59)))
def test_a_missing_result_is_not_replaced_by_a_later_one(table, order, lost):
    """A worker may die between writing a row and reporting it."""
    halving = SuccessiveHalving(Search(reduction=3), EPOCHS)
    race = Race(PerStudentScheduler(halving))
    for index, (student, epoch, value) in enumerate(arrivals(table, order)):
        if index not in lost:
            race.result(student, epoch, value)
    for epoch, recorded in rungs(halving).items():
        assert all(value == table[int(student[1:])][int(epoch) - 1] for student, value in recorded.items())


@given(TABLE, ORDER)
def test_the_last_epoch_ends_a_student(table, order):
    race = Race(adapter_for("asha", Search(), EPOCHS))
    for student, epoch, value in arrivals(table, order):
        race.result(student, epoch, value)
        assert epoch < EPOCHS or student in race.stopped


@given(TABLE, ORDER, st.integers(0, 60), st.sampled_from(sorted(SCHEDULERS)))
def test_a_replayed_scheduler_decides_as_in_one_run(table, order, cut, name):
    """First an undisturbed run; then one cut off after `cut` results and resumed with new Ray trials."""
    search = Search(reduction=2)
    race = Race(adapter_for(name, search, EPOCHS))
    results = [(*result, decision) for result in arrivals(table, order) if (decision := race.result(*result))]
    resumed = adapter_for(name, search, EPOCHS)
    resumed.replay(histories(results[:cut]))
    resumed_race = Race(resumed)
    assert [resumed_race.result(*result[:3]) for result in results[cut:]] == [result[3] for result in results[cut:]]


@given(TABLE, st.sampled_from(sorted(SCHEDULERS)), st.integers(1, 8))
def test_students_in_packs_are_stopped_like_single_ones(table, name, width):
    """All are at the same epoch, in the same order; a pack is stopped with its last student."""
    search = Search(reduction=2)
    single, scheduler_adapter = Race(adapter_for(name, search, EPOCHS)), adapter_for(name, search, EPOCHS)
    names = [f"s{place}" for place in range(len(table))]
    packs = [names[i : i + width] for i in range(0, len(names), width)]
    trials = [Trial(*pack) for pack in packs]
    for trial in trials:
        scheduler_adapter.on_trial_add(Race.controller, trial)
    for epoch in range(1, EPOCHS + 1):
        for pack, trial in zip(packs, trials, strict=True):
            rows = []
            for key in pack:
                value = table[int(key[1:])][epoch - 1]
                single.result(key, epoch, value)
                if key not in scheduler_adapter.stopped:
                    rows.append({"trial": key, "epoch": epoch, "val_accuracy": value})
            decision = scheduler_adapter.on_trial_result(Race.controller, trial, {"rows": rows})
            assert (decision == TrialScheduler.STOP) == (set(pack) <= scheduler_adapter.stopped)
        assert scheduler_adapter.stopped == single.stopped


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_stop_lost_with_the_driver_is_decided_again(name):
    """The driver died between the decision and the final row: the student is proposed again and continues."""
    race = Race(adapter_for(name, Search(), EPOCHS))
    results = [(f"s{place}", epoch, place / 10, "") for epoch in (1, 2, 3) for place in (4, 3, 2, 1, 0)]
    for student, epoch, value, _ in results:
        race.result(student, epoch, value)
    assert ("s0" in race.stopped) == (name != "none")
    resumed = adapter_for(name, Search(), EPOCHS)
    resumed.replay(histories(results))
    assert Race(resumed).result("s4", 4, 0.9) == TrialScheduler.CONTINUE
    assert Race(resumed).result("s0", 4, 0.0) in (TrialScheduler.CONTINUE, TrialScheduler.STOP)


@given(TABLE, st.randoms(use_true_random=False), st.sampled_from(sorted(SCHEDULERS)))
def test_rows_may_be_replayed_in_another_order(table, random, name):
    """Of two packs with simultaneous rows, either may have been reported first."""
    results = [(f"s{place}", epoch, value, "") for place, row in enumerate(table) for epoch, value in enumerate(row, 1)]
    random.shuffle(results)
    results.sort(key=lambda result: result[1])
    adapter_for(name, Search(reduction=2), EPOCHS).replay(histories(results))


def test_an_epoch_reported_twice_is_shown_once():
    """A worker died after its report: its student continues, or its last epoch is reported again."""
    shown = []
    scheduler_adapter = adapter_for("none", Search(), EPOCHS)
    scheduler_adapter.scheduler.on_trial_result = lambda _, name, row: shown.append((name.trial_id, row["epoch"]))
    race = Race(scheduler_adapter)
    for epoch in (1, 2, 2, 3, 3):
        race.result("a", epoch, 0.5)
    assert shown == [("a", 1), ("a", 2), ("a", 3)]


def histories(results: list[tuple[str, int, float, str]]) -> list[History]:
    """Return the histories of a run."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for time, (student, epoch, value, _) in enumerate(results):
        rows.setdefault(student, []).append({"epoch": epoch, "val_accuracy": value, "time": float(time)})
    return [History({"trial": student}, epochs, {}) for student, epochs in rows.items()]


def test_a_resumed_student_is_recorded_once():
    halving = SuccessiveHalving(Search(), EPOCHS)
    scheduler_adapter = PerStudentScheduler(halving)
    scheduler_adapter.replay(histories([("a", 1, 0.5, ""), ("b", 1, 0.6, "")]))
    race = Race(scheduler_adapter)  # the checkpoint of `a` was damaged: it restarts in a new Ray trial
    race.result("a", 1, 0.5)
    race.result("a", 2, 0.55)
    race.result("a", 3, 0.7)
    assert rungs(halving) == {9: {}, 3: {"a": 0.7}, 1: {"a": 0.5, "b": 0.6}}
