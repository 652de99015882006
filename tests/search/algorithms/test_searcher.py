"""An adaptive search, rebuilt from rows that are written by hand."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState
from ray.tune.search import Searcher

from results.students import history
from search.algorithms import SAMPLERS
from search.algorithms.searcher import StudentSearcher
from search.students.spec import Pack, StudentSpec, student_spec, suggested_histories
from spaces.space import Space

RANGES = {"name": "hinton", "alpha": {"uniform": [0.1, 1]}, "temperature": {"loguniform": [1, 64]}}
FEW = {"name": "hinton", "alpha": {"choice": [0, 0.5, 1]}, "temperature": {"choice": [1, 4]}}


def in_packs(students: list[StudentSpec]) -> list[Pack]:
    """Put students with a high temperature in single packs, the others in one pack."""
    single = [student for student in students if student.values.get("method.temperature", 1) > 8]
    stacked = tuple(student for student in students if student not in single)
    return [Pack((student,)) for student in single] + [Pack(stacked)] * bool(stacked)


def explored(space: Space, values: dict[str, Any]) -> StudentSpec:
    return replace(student_spec(space, "explore", values, 0, 0), suggested=values)


@pytest.fixture(params=SAMPLERS)
def sampler(request) -> str:
    return request.param


@pytest.fixture
def search(space, folder):
    """A search over the rows that are there: as when the same command is run again."""

    def started(
        method: Any = RANGES,
        within_limit=lambda recipe: True,
        deadline: float = float("inf"),
        batch: int = 1,
        **search: Any,
    ):
        section = {"algorithm": "random", "trials": 6, **search}
        searched = space(method=method, search=section)
        return StudentSearcher(
            searched,
            suggested_histories(folder),
            partial(history, folder),
            lambda values: student if within_limit((student := explored(searched, values)).recipe) else None,
            deadline,
            in_packs,
            batch,
        )

    return started


def propose(suggestions: StudentSearcher, prefix: str = "ray") -> list[Any]:
    """Return all remaining proposals; none gets a result."""
    students = []
    while (config := suggestions.suggest(f"{prefix}-{len(students)}")) != Searcher.FINISHED:
        students += config["pack"].students
    return students


def test_students_are_proposed_in_batches_and_packs(search, trained, sampler):
    suggestions = search(algorithm=sampler, batch=4)
    packs = []
    while (config := suggestions.suggest(f"ray-{len(packs)}")) != Searcher.FINISHED:
        packs.append(config["pack"].students)
        if len(suggestions.optuna_trials) <= 4:
            assert len(suggestions.optuna_trials) == 4  # all of a batch before its first pack is trained
    assert len({student.key for pack in packs for student in pack}) == 6 == sum(map(len, packs))
    assert suggestions.proposed == [student for pack in packs for student in pack]
    for place, pack in enumerate(packs):
        for student in pack:
            trained(student, [0.1, 0.2, 0.3])
        suggestions.on_trial_complete(f"ray-{place}", {})
    assert [trial.state for trial in suggestions.study.trials] == [TrialState.COMPLETE] * 6


def test_an_exhausted_space_ends_the_search_once(search, monkeypatch):
    monkeypatch.setattr("search.algorithms.searcher.MAX_REJECTED", 50)
    suggestions = search(FEW, trials=50, batch=16)
    assert len(propose(suggestions)) == 1 + 2 * 2
    trials_before = len(suggestions.study.trials)
    assert trials_before < 2 * 50 + 5
    assert suggestions.suggest("one more") == Searcher.FINISHED and len(suggestions.study.trials) == trials_before


def test_waiting_new_students_are_dropped_after_the_deadline(search, trained, monkeypatch):
    started = [trained(student, [0.1], None) for student in propose(search(batch=4))[:2]]
    late = search(batch=4)
    late.pack = lambda students: [Pack((student,)) for student in students]
    assert late.suggest("ray-0")["pack"].students[0].key == started[0].key and len(late.waiting_packs) == 3
    late.deadline = time.time() - 1
    assert [student.key for student in propose(late, "late")] == [started[1].key]


def test_results_of_a_lost_pack_count(search, trained):
    suggestions = search(method=RANGES | {"temperature": {"uniform": [1, 4]}}, batch=3)
    done, stopped, lost = suggestions.suggest("ray-0")["pack"].students
    trained(done, [0.1, 0.2, 0.3])
    trained(stopped, [0.1], "stopped")
    trained(lost, [0.1], None)
    suggestions.on_trial_complete("ray-0", error=True)
    assert [suggestions.study.trials[place].state for place in range(3)] == [
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
    ]


def test_a_search_proposes_as_many_different_students_as_it_has_trials(search, sampler):
    students = propose(search(algorithm=sampler))
    assert len({student.key for student in students}) == len(students) == 6
    assert all(student.suggested == student.values and student.stage == "explore" for student in students)


def test_unfinished_students_come_first_with_the_same_values(search, trained, sampler):
    first = propose(search(algorithm=sampler))[:4]
    for student, (accuracies, status) in zip(
        first, [([0.1, 0.2, 0.3], "finished"), ([0.1], None), ([], "failed"), ([0.1], "stopped")], strict=True
    ):
        trained(student, accuracies, status)
    again = propose(search(algorithm=sampler))
    assert [student.key for student in again[:2]] == [first[1].key, first[2].key]
    assert [student.suggested for student in again[:2]] == [first[1].suggested, first[2].suggested]
    assert len(again) == 2 + 2
    assert not {student.key for student in again[2:]} & {student.key for student in first}


def test_a_finished_search_proposes_nothing_and_more_trials_extend_it(search, trained):
    for student in propose(search()):
        trained(student, [0.1, 0.2, 0.3])
    assert propose(search()) == []
    assert search().remaining == 0
    assert len(propose(search(trials=8))) == 2


def test_the_study_holds_the_results_of_an_earlier_run(search, trained):
    ends = {"finished": [0.1, 0.2, 0.3], "stopped": [0.1], "diverged": [0.4, 0.3]}
    first = propose(search())
    for student, (status, accuracies) in zip(first, ends.items(), strict=False):
        trained(student, accuracies, status)
    trials = search().study.trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED]
    assert trials[0].value == 0.3
    assert [trial.intermediate_values for trial in trials] == [
        {1: 0.1, 2: 0.2, 3: 0.3},
        {1: 0.1},
        {1: 0.4, 2: 0.3},
    ]
    assert [trial.params for trial in trials] == [student.suggested for student in first[:3]]


def test_a_dropped_student_is_failed_in_the_study(search):
    suggestions = search()
    suggestions.suggest("ray-0")
    suggestions.on_trial_complete("ray-0", error=True)
    assert [trial.state for trial in suggestions.study.trials] == [TrialState.FAIL]


@pytest.mark.parametrize(
    ("accuracies", "status", "state", "value"),
    [
        ([0.1, 0.2, 0.3], "finished", TrialState.COMPLETE, 0.3),
        ([0.1, 0.2], "stopped", TrialState.PRUNED, 0.2),
        ([0.1], None, TrialState.PRUNED, 0.1),  # stopped by a scheduler: its end is written a moment later
        ([0.3], "diverged", TrialState.PRUNED, 0.3),
        ([], "diverged", TrialState.PRUNED, None),
        ([0.1], "failed", TrialState.FAIL, None),
    ],
)
def test_the_study_gets_the_result_of_a_student(search, trained, accuracies, status, state, value):
    suggestions = search()
    proposed = suggestions.suggest("ray-0")["pack"].students[0]
    trained(proposed, accuracies, status)
    suggestions.on_trial_complete("ray-0", {"val_accuracy": 0.9, "epoch": 9})
    (trials,) = suggestions.study.trials
    assert (trials.state, trials.value) == (state, value)
    assert trials.intermediate_values == dict(enumerate(accuracies, 1))


def test_a_loss_is_searched_for_its_minimum(search, trained):
    trained(propose(search(metric="val_loss"))[0], [0.1, 0.2, 0.7])
    study = search(metric="val_loss").study
    assert study.direction.name == "MINIMIZE"
    assert study.best_value == pytest.approx(0.3)


def test_students_are_proposed_once_and_a_space_may_be_exhausted(search, sampler, monkeypatch):
    """Three alphas, two temperatures: alpha = 0 is one student, whatever the temperature."""
    monkeypatch.setattr("search.algorithms.searcher.MAX_REJECTED", 200)
    students = propose(search(FEW, algorithm=sampler, trials=50))
    assert len({student.key for student in students}) == len(students) == 1 + 2 * 2
    assert [student.stage for student in students].count("baseline") == 1


def test_students_that_are_too_large_are_not_proposed(search, sampler):
    students = propose(search(within_limit=lambda recipe: recipe.method.knobs["temperature"] < 8, algorithm=sampler))
    assert len(students) == 6
    assert all(student.values["method.temperature"] < 8 for student in students)


def test_after_the_deadline_only_started_students_are_proposed(search, trained):
    started = trained(propose(search())[0], [0.1], None)
    late = search(deadline=time.time() - 1)
    assert [student.key for student in propose(late)] == [started.key]
    assert late.suggest("one more") == Searcher.FINISHED


def test_a_resumed_sampler_does_not_repeat_earlier_proposals(search, trained, sampler):
    """With the seed of the first run, it would first propose all earlier students again, only to reject them."""
    for student in propose(search(algorithm=sampler))[:3]:
        trained(student, [0.1, 0.2, 0.3])
    resumed = search(algorithm=sampler)
    resumed.suggest("ray-0")
    params = [tuple(trial.params.values()) for trial in resumed.study.trials]
    assert len(params) == len(set(params)) == 3 + 1


def test_tpe_uses_the_rows_of_an_earlier_run(search, trained):
    """Students near alpha 1 were the best of twenty: twenty more are on average nearer to 1 than random ones."""
    for student in propose(search(trials=20)):
        trained(student, [student.values["method.alpha"]] * 3)
    suggestions = search(algorithm="tpe", trials=40)
    alphas = [suggestions.suggest(f"ray-{n}")["pack"].students[0].values["method.alpha"] for n in range(20)]
    assert sum(alphas) / 20 > 0.7  # the middle of the range is 0.55


def test_logarithmic_integers_are_resumed(search, trained, sampler):
    method = RANGES | {"temperature": {"int": [1, 64], "log": True}}
    for student in propose(search(method, algorithm=sampler))[:4]:
        trained(student, [0.1, 0.2, 0.3])
    resumed = search(method, algorithm=sampler)
    assert len(propose(resumed)) == 2
    distributions = [trial.distributions["method.temperature"] for trial in resumed.study.trials]
    assert set(distributions) == {IntDistribution(1, 64, log=True)}


def test_knobs_of_a_method_stay_with_it_in_the_study(search, trained):
    either = {"choice": [{**RANGES, "name": "hinton"}, {"name": "none"}]}
    for student in propose(search(either)):
        trained(student, [0.1, 0.2, 0.3])
    for trial in search(either).study.trials:
        assert ("method.alpha" in trial.params) == (trial.params["method"] == "hinton")
        assert set(trial.params) == set(trial.distributions)


def test_start_points_come_first_and_once(search, trained, sampler):
    points = [{"method": {"temperature": 4, "alpha": 0.5}}, {"method": {"alpha": 0.75}}]
    students = propose(search(algorithm=sampler, start=points, start_share=1))
    assert students[0].values == {"method.alpha": 0.5, "method.temperature": 4}
    assert students[1].values["method.alpha"] == 0.75 and len({student.key for student in students}) == 6
    for student in students[:3]:
        trained(student, [0.1, 0.2, 0.3])
    again = propose(search(algorithm=sampler, start=points, start_share=1))
    assert not {student.key for student in students[:3]} & {student.key for student in again} and len(again) == 3
