"""Priors on domains: draws near the guess, as many as it earns."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from results.students import History
from search.algorithms import SAMPLERS
from search.algorithms.priors import FIXED_SHARE, WARM_UP
from search.algorithms.searcher import StudentSearcher
from search.students.spec import Pack, student_spec
from spaces.search_section import NON_ADAPTIVE

TRIALS = 40
GUESS = {"method.alpha": 0.9, "method.temperature": 4.0, "student.model.hidden": "[8]"}
PARTS = {
    "student": {"model": {"name": "mlp", "hidden": {"choice": [[4], [8], [16]], "prior": [8]}}},
    "method": {
        "name": "hinton",
        "alpha": {"uniform": [0, 1], "prior": 0.9},
        "temperature": {"loguniform": [1, 64], "prior": 4},
    },
    "train": {"epochs": 1, "lr": {"loguniform": [1e-4, 1e-1]}},
}


@pytest.fixture
def propose(space):
    """Return a function that runs a search, a formula of the values in place of training; it returns all values."""

    def proposed(quality=lambda values: 0.0, parts=PARTS, **search: Any) -> list[dict[str, Any]]:
        searched = space(**parts, search={"trials": TRIALS, "scheduler": "none", **search})
        rows: dict[str, History] = {}
        searcher = StudentSearcher(
            searched,
            [],
            rows.get,
            lambda values: replace(student_spec(searched, "explore", values, 0, 0), suggested=values),
            float("inf"),
            lambda students: [Pack((student,)) for student in students],
        )
        result = []
        for number in range(searched.search.trials):
            (student,) = searcher.suggest(str(number))["pack"].students
            epochs = [{"epoch": 1, "val_accuracy": quality(student.values)}]
            size = int(student.values["student.model.hidden"][1:-1])
            rows[student.key] = History({"parameters": size}, epochs, {"status": "finished"})
            searcher.on_trial_complete(str(number))
            result.append(student.suggested)
        return result

    return proposed


def is_near(values: dict[str, Any]) -> bool:
    return abs(values["method.alpha"] - 0.9) < 0.3 and 1 <= values["method.temperature"] <= 16


def share_near(proposed: list[dict[str, Any]]) -> float:
    return sum(map(is_near, proposed)) / len(proposed)


@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_the_guess_itself_comes_after_a_few_even_proposals(propose, algorithm):
    proposed = propose(algorithm=algorithm)
    assert GUESS.items() <= proposed[WARM_UP].items()
    assert not any(GUESS.items() <= values.items() for values in proposed[:WARM_UP])
    assert len({values["train.lr"] for values in proposed}) == TRIALS  # a knob without a prior is proposed evenly


def test_start_points_come_before_the_guess(propose):
    points = [{"method": {"alpha": 0.1}}, {"method": {"alpha": 0.2}}]
    proposed = propose(algorithm="tpe", start=points)
    assert [values["method.alpha"] for values in proposed[:2]] == [0.1, 0.2]
    assert GUESS.items() <= proposed[len(points) + WARM_UP].items()


def test_an_adaptive_algorithm_follows_a_good_prior_and_leaves_a_wrong_one(propose, monkeypatch):
    monkeypatch.setattr("search.algorithms.samplers.START_POINTS", TRIALS)  # all else is even
    by_share = [
        share_near(propose(lambda values, sign=sign: 0.5 - sign * abs(values["method.alpha"] - 0.9) / 2)[TRIALS // 2 :])
        for sign in (1, -1)
    ]
    assert by_share[0] > 0.7 and by_share[1] < 0.4


@pytest.mark.parametrize("algorithm", NON_ADAPTIVE)
def test_other_algorithms_draw_a_fixed_share_from_the_prior_whatever_the_results(propose, algorithm):
    good = propose(lambda values: values["method.alpha"], algorithm=algorithm, trials=120)
    wrong = propose(lambda values: 1 - values["method.alpha"], algorithm=algorithm, trials=120)
    assert good == wrong
    evenly = 0.4 * 2 / 3  # of even draws are near
    assert share_near(good) == pytest.approx(evenly + FIXED_SHARE * (0.9 - evenly), abs=0.12)


def test_the_members_of_a_front_are_the_good_ones(propose, monkeypatch):
    monkeypatch.setattr("search.algorithms.samplers.START_POINTS", 80)
    metrics = ["val_accuracy", "parameters"]
    shares = [
        share_near(propose(lambda values, sign=sign: sign * values["method.alpha"], metrics=metrics, trials=80)[40:])
        for sign in (1, -1)
    ]
    assert shares[0] > 0.6
    assert shares[1] < 0.4


def test_options_have_priors_of_their_own(propose):
    """One knob has the same range in two options, and another guess in each."""
    options = [
        {"name": name, "alpha": 0.5, "temperature": {"loguniform": [1, 64], "prior": guess}}
        for name, guess in (("hinton", 2), ("standardized", 32))
    ]
    proposed = propose(parts={**PARTS, "method": {"choice": options}}, algorithm="random", trials=120)
    low = Counter(
        values["method"] for values in proposed if (values["method.temperature"] < 8) == (values["method"] == "hinton")
    )
    total = Counter(values["method"] for values in proposed)
    assert all(low[name] / total[name] > 0.55 for name in total), (low, total)
