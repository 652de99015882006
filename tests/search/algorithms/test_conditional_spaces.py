"""Generated spaces with one knob in several options, under every algorithm; formulas stand in for training."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import Any

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

import results
from results import paths, records
from results.rebuild import rebuild_results
from results.students import histories, history
from search.algorithms import SAMPLERS
from search.algorithms.ranking import rank_configurations
from search.algorithms.searcher import StudentSearcher
from search.students.candidates import grid_students, proposed_student
from search.students.spec import Pack, students_for_seeds, suggested_histories

TRIALS = 12
NUMBERS: list[Any] = [
    {"uniform": [0.1, 0.5]},
    {"uniform": [0.3, 0.9]},
    {"loguniform": [0.01, 1]},
    {"int": [0, 1]},
    {"choice": [0.1, 0.5]},
    {"choice": [0.5, 0.9, 1]},
    0.7,
]
HIDDEN: list[Any] = [{"choice": [[8], [16]]}, {"choice": [[16], [8, 8]]}, [4]]
RATES: list[Any] = [{"uniform": [0.01, 0.1]}, {"loguniform": [1e-4, 1e-2]}, {"choice": [0.001, 0.01]}, 0.003]
FLAGS: list[Any] = [{"choice": ["cosine", "linear"]}, {"choice": ["linear", "constant"]}, "constant"]


def legal_space(seed: int) -> dict[str, Any]:
    """Draw the parts of a space: methods, networks and optimizers with knobs of equal names."""
    pick = random.Random(seed).choice
    methods = [
        {"name": name, "alpha": pick(NUMBERS), "temperature": pick([{"int": [1, 8], "log": True}, 4])}
        for name in pick([["hinton", "standardized"], ["hinton", "hinton", "none"], ["none", "hinton"]])
        if name != "none"
    ]
    models = [{"name": "mlp", "hidden": pick(HIDDEN)} for _ in range(pick([1, 2, 3]))]
    trains = [{"epochs": 3, "optimizer": name, "lr": pick(RATES), "schedule": pick(FLAGS)} for name in ("sgd", "adam")]
    parts = {
        "student": {"model": {"choice": models}},
        "method": {"choice": [*methods, {"name": "none"}]},
        "train": pick([{"choice": trains}, trains[0]]),
    }
    return json.loads(json.dumps(parts))  # YAML would write one object in two places as an anchor


def all_proposals(searcher: StudentSearcher, trained) -> int:
    """Train every proposal by a formula; return the number of students."""
    count = 0
    while (config := searcher.suggest(f"ray-{count}")) != Searcher.FINISHED:
        for student in config["pack"].students:
            trained(student, [0.1, 0.2, len(student.recipe.key().strip("01234")) / 16])
        searcher.on_trial_complete(f"ray-{count}")
        count += 1
    return count


@pytest.fixture
def searcher(folder, digits):
    return lambda space: StudentSearcher(
        space,
        suggested_histories(folder),
        partial(history, folder),
        lambda values: proposed_student(space, values, digits),
        float("inf"),
        lambda students: [Pack((one,)) for one in students],
    )


@pytest.mark.parametrize("algorithm", SAMPLERS)
@pytest.mark.parametrize("seed", range(6))
def test_any_legal_space_is_searched_resumed_and_confirmed(space, trained, folder, searcher, algorithm, seed):
    parts = legal_space(seed)
    searched = space(**parts, search={"algorithm": algorithm, "trials": TRIALS}, confirm={"top": 2, "seeds": [5]})
    first = all_proposals(searcher(searched), trained)
    more = space(**parts, search={"algorithm": algorithm, "trials": TRIALS + 4}, confirm={"top": 2, "seeds": [5]})
    resumed = searcher(more)
    assert [trial.state for trial in resumed.study.trials].count(TrialState.COMPLETE) == first
    more_students = all_proposals(resumed, trained)
    assert (first == TRIALS and more_students == 4) or resumed.exhausted
    winners = [ranked.values for ranked in rank_configurations(histories(folder), "explore", "val_accuracy")[:2]]
    assert students_for_seeds(more, winners, "confirm", [5])


def test_results_show_a_knob_with_two_kinds_of_domains_under_its_own_name(space, trained, folder, searcher):
    methods = [
        {"name": "hinton", "alpha": {"uniform": [0.1, 0.9]}, "temperature": 4},
        {"name": "standardized", "alpha": {"choice": [0.5, 0.95]}, "temperature": 2},
    ]
    searched = space(method={"choice": methods}, search={"algorithm": "tpe", "trials": TRIALS})
    assert all_proposals(searcher(searched), trained) > 2
    records.write_file(paths.space_file(folder), searched.dump())
    records.save_environment(folder, {"wall_seconds": 1.0})
    rebuild_results(folder)
    students = results.read(folder)
    assert students["method.alpha"].notna().all() and set(students["method"]) == {"hinton", "standardized"}
    assert not [name for name in students.columns if "(" in name]


@pytest.mark.parametrize("seed", range(6))
def test_the_same_options_as_a_grid(space, digits, seed):
    parts = legal_space(seed)
    choices = {"uniform", "loguniform", "int"}

    def without_ranges(node: Any) -> Any:
        if isinstance(node, dict):
            kind = next((key for key in node if key in choices), None)
            if kind:
                return {"choice": node[kind]}
            return {key: without_ranges(item) for key, item in node.items()}
        return [without_ranges(item) for item in node] if isinstance(node, list) else node

    assert grid_students(space(**without_ranges(parts)), digits)
