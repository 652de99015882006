"""Which explored students are worth confirming: rows written by hand."""

from __future__ import annotations

import pytest

from search.engine import best
from search.students import student

SEARCH = {"algorithm": "random", "trials": 9}
METHOD = {"name": "hinton", "alpha": {"uniform": [0.1, 1]}, "temperature": 4}


@pytest.fixture
def explored(space, trained, folder):
    """Students by alpha with the accuracies of their last epochs, one per seed; returns the best alphas."""

    def ranked(results: dict[float, list[float]], top: int = 2, metric: str = "val_accuracy", status: str = "finished"):
        wanted = space(method=METHOD, search={**SEARCH, "metric": metric})
        for alpha, accuracies in results.items():
            for seed, accuracy in enumerate(accuracies):
                trained(student(wanted, "explore", {"method.alpha": alpha}, seed, 0), [0.99, accuracy], status)
        return [values["method.alpha"] for values in best(wanted, folder, "explore", top)]

    return ranked


def test_the_best_are_those_with_the_best_last_epoch(explored):
    assert explored({0.2: [0.5], 0.4: [0.9], 0.6: [0.7]}) == [0.4, 0.6]


def test_a_loss_is_better_when_it_is_lower(explored):
    assert explored({0.2: [0.5], 0.4: [0.9], 0.6: [0.7]}, metric="val_loss") == [0.4, 0.6]  # losses: 1 − accuracy


def test_seeds_are_averaged_and_those_with_fewer_are_not_compared(explored):
    assert explored({0.2: [0.5, 0.7], 0.4: [0.9, 0.1], 0.6: [0.95]}) == [0.2, 0.4]


@pytest.mark.parametrize("status", ["stopped", "diverged", "failed", None])
def test_only_finished_students_are_compared(explored, status):
    assert explored({0.2: [0.9]}, status=status) == []
    assert explored({0.4: [0.5]}) == [0.4]


def test_the_baseline_is_not_confirmed_for_itself(space, trained, folder):
    wanted = space(method=METHOD, search=SEARCH)
    trained(student(wanted, "baseline", {"method.alpha": 0.5}, 0, 0), [0.9])
    assert best(wanted, folder, "explore", 1) == []


def test_stages_are_ranked_by_themselves(space, trained, folder):
    wanted = space(method=METHOD, search=SEARCH)
    for stage, seed, results in (("explore", 0, {0.2: 0.9, 0.4: 0.8}), ("confirm", 5, {0.2: 0.6, 0.4: 0.7})):
        for alpha, accuracy in results.items():
            trained(student(wanted, stage, {"method.alpha": alpha}, seed, 0), [accuracy])
    assert best(wanted, folder, "explore", 1) == [{"method.alpha": 0.2}]
    assert best(wanted, folder, "confirm", 1) == [{"method.alpha": 0.4}]


def test_students_of_a_smaller_budget_are_not_compared(space, trained, folder):
    wanted = space(method=METHOD, search=SEARCH, train={"epochs": {"choice": [1, 2]}})
    for epochs, accuracies in ((1, [0.9]), (2, [0.1, 0.5])):
        trained(student(wanted, "explore", {"method.alpha": 0.5, "train.epochs": epochs}, 0, 0), accuracies)
    assert best(wanted, folder, "explore", 2) == [{"method.alpha": 0.5, "train.epochs": 2}]
