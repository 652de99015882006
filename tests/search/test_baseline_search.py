"""Search of the student alone; rows are written by hand."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace

import pytest
from ray.tune.search import Searcher
from rich.console import Console

from results.students import histories
from search import engine, stage_training
from search.algorithms.study_parameters import StudyParameters
from search.baseline_search import BaselineSpace, baseline_spaces
from search.cluster.restart_plan import RayLostError
from search.plan import estimate
from search.students.spec import student_spec, suggested_histories

METHOD = {"choice": [{"name": "hinton", "alpha": {"uniform": [0.1, 1]}, "temperature": 4}, {"name": "none"}]}
TRAIN = {
    "epochs": {"choice": [1, 2]},
    "lr": {"loguniform": [1e-4, 1e-1]},
    "batch_size": {"choice": [32, 64]},
}
WINNER = {
    "student.model.hidden": "[8]",
    "method": "hinton",
    "method.alpha": 0.5,
    "train.epochs": 2,
    "train.lr": 0.01,
    "train.batch_size": 32,
}


@pytest.fixture
def searched(space):
    return space(
        method=METHOD,
        student={"model": {"name": "mlp", "hidden": {"choice": [[4], [8]]}}},
        train=TRAIN,
        search={"algorithm": "random", "trials": 9, "seed": 3},
        baseline={"trials": 4},
    )


def test_only_training_values_are_searched(searched):
    alone = BaselineSpace(searched, WINNER)
    assert [path for path, _ in alone.domains] == ["train.lr", "train.batch_size"]
    assert (alone.search.trials, alone.search.algorithm) == (4, "random") and alone.search.seed != 3
    values = alone.sample_values(lambda path, domain: domain.probe_labels[-1])
    assert values == WINNER | {"train.lr": 0.1, "train.batch_size": 64}
    assert set(StudyParameters(alone).of_values(values)[0]) == {"train.lr", "train.batch_size"}
    student = alone.student(values)
    assert (student.stage, student.study, student.suggested) == ("baseline", "baseline", values)
    assert student.recipe.method.name == "none" and student.recipe.train.epochs == 2
    assert not {path for path in student.values if path.startswith("method")}


def test_proposals_are_kept_apart_by_study_and_network(searched, trained, folder):
    alone = BaselineSpace(searched, WINNER)
    for rate, accuracy, status in ((0.1, 0.5, "finished"), (0.02, 0.8, "finished"), (0.03, 0.9, "stopped")):
        trained(alone.student(WINNER | {"train.lr": rate}), [0.2, accuracy], status)
    other = WINNER | {"student.model.hidden": "[4]"}
    trained(BaselineSpace(searched, other).student(other), [0.99])
    proposed = student_spec(searched, "explore", WINNER | {"train.lr": 0.05}, 0, 0)
    trained(replace(proposed, suggested=WINNER), [0.9])
    weightless = {path: label for path, label in WINNER.items() if path != "method.alpha"} | {"method": "none"}
    found = student_spec(searched, "explore", weightless | {"train.lr": 0.06}, 0, 0)
    trained(replace(found, suggested=weightless | {"train.lr": 0.06}), [0.3, 0.6])

    assert len(suggested_histories(folder)) == 2 and len(suggested_histories(folder, "baseline")) == 4
    assert {past.start["values"]["train.lr"] for past in alone.histories(folder)} == {0.1, 0.02, 0.03, 0.06}
    assert alone.best_values(folder, 2) == [WINNER | {"train.lr": 0.02}, WINNER | {"train.lr": 0.06}]


@pytest.fixture
def run_search(trained, folder, digits, monkeypatch):
    """Return a function that runs all stages of a space; rows take the place of training.

    The score of a student is highest at a learning rate of 0.003 alone, and of 0.03 when distilled. With `dies_after`
    the process dies after as many students.
    """

    def run(space, dies_after=10**6):
        trained_keys: list[str] = []

        def train(student):
            if student.key in trained_keys:
                return
            if len(trained_keys) >= dies_after:
                raise RayLostError("killed")
            trained_keys.append(student.key)
            best = 0.003 if student.stage == "baseline" else 0.03
            distance = abs(math.log10(student.recipe.train.lr / best))
            trained(student, [0.5 - distance / 10, 0.9 - distance / 10])

        def run_trials(context, config, parameters, useful_workers, scheduler=None):
            for number in itertools.count():
                pack = config.search_alg.suggest(str(number)) if config.search_alg else Searcher.FINISHED
                if pack == Searcher.FINISHED:
                    break
                for student in pack["pack"].students:
                    train(student)
                config.search_alg.on_trial_complete(str(number))
            for pack in parameters.get("pack", {}).get("grid_search", []):
                for student in pack.students:
                    train(student)

        monkeypatch.setattr(stage_training, "run_trials", run_trials)
        monkeypatch.setattr(stage_training, "_ensure_teachers", lambda *_: None)
        nodes, display = SimpleNamespace(worker_count=lambda _: 1), SimpleNamespace(begin_stage=lambda *_: None)
        display.console = Console(file=StringIO())
        context = SimpleNamespace(space=space, data=digits, folder=folder, display=display, nodes=nodes, grid=[])
        with suppress(RayLostError):
            engine.run_stages(context, float("inf"))
        return trained_keys

    return run


def baseline_rates(folder, seed):
    past = [past.start for past in histories(folder) if past.start["stage"] == "baseline"]
    return sorted(start["values"]["train.lr"] for start in past if start["seed"] == seed)


@pytest.mark.parametrize("pack", [1, 3])
def test_the_student_alone_is_tuned_confirmed_and_resumed(run_search, space, folder, pack):
    parts = {
        "method": {"name": "hinton", "alpha": {"uniform": [0.1, 1]}, "temperature": 4},
        "train": {"epochs": 2, "lr": {"loguniform": [1e-4, 1e-1]}},
        "search": {"algorithm": "random", "scheduler": "none", "trials": 6},
        "confirm": {"top": 2, "seeds": [7, 8]},
        "resources": {"pack": pack},
    }
    searched = space(**parts, baseline={"trials": 5})
    begun = run_search(searched, dies_after=12)  # within the search of the student alone
    finished = run_search(searched)
    assert not set(begun) & set(finished) and len(begun) + len(finished) == 6 + 2 * 2 + 5 + 3 * 2
    tried = baseline_rates(folder, 0)
    assert len(tried) == len(set(tried)) == 5
    nearest = sorted(tried, key=lambda rate: abs(math.log10(rate / 0.003)))[:2]
    confirmed = {past.start["values"]["train.lr"] for past in histories(folder) if past.start["stage"] == "confirm"}
    for seed in (7, 8):
        rates = baseline_rates(folder, seed)
        assert len(rates) == 3 and set(nearest) < set(rates) and set(rates) - set(nearest) < confirmed
    assert run_search(searched) == []
    assert len(run_search(space(**parts, baseline={"trials": 7}))) >= 2  # an extension
    assert len(baseline_rates(folder, 0)) == 7


def test_the_student_alone_is_tuned_for_each_compared_network(run_search, space, folder, digits, monkeypatch):
    """One search for two networks of the best students, and one for two methods with the same network."""
    common = {
        "train": {"epochs": 2, "lr": {"loguniform": [1e-4, 1e-1]}},
        "search": {"algorithm": "qmc", "scheduler": "none", "trials": 8},
        "baseline": {"trials": 3},
    }
    parts = {
        "student": {"model": {"name": "mlp", "hidden": {"choice": [[8], [16]]}}},
        "method": {"name": "hinton", "alpha": 0.5, "temperature": 4},  # no proposal is a baseline by itself
        "confirm": {"per": "student.model.hidden", "top": 1, "seeds": [7]},
    }
    networks = space(**common, **parts)
    trained_keys = run_search(networks)
    alone = [past.start for past in histories(folder) if past.start["stage"] == "baseline" and past.start["seed"] == 0]
    assert Counter(start["values"]["student.model.hidden"] for start in alone) == {"[8]": 3, "[16]": 3}
    monkeypatch.setattr(estimate, "measure_pace", lambda *_: estimate.Pace(1.0, 0.0))
    planned = estimate.estimate_plan(networks, digits, [], 1).students
    assert planned["baseline"] >= sum(past.start["stage"] == "baseline" for past in histories(folder))
    stages = Counter((past.start["stage"], past.start["seed"]) for past in histories(folder))
    assert stages == {("explore", 0): 8, ("confirm", 7): 2, ("baseline", 0): 2 * 3, ("baseline", 7): 2 * 2}
    assert len(trained_keys) == 20 and run_search(networks) == []

    methods = {"choice": [{"name": name, "alpha": 0.5, "temperature": 4} for name in ("hinton", "standardized")]}
    compared = space(**common, method=methods, confirm={"per": "method", "top": 1, "seeds": [7]})
    assert len(baseline_spaces(compared, [{"method": "hinton", "train.lr": 0.1}, {"method": "standardized"}])) == 1


def test_only_the_exploration_learns_from_earlier_experiments(run_search, space, monkeypatch):
    received = []

    class Searcher(stage_training.StudentSearcher):
        def __init__(self, searched, *arguments, transferred, **options):
            received.append((type(searched), list(transferred)))
            super().__init__(searched, *arguments, **options)

    monkeypatch.setattr(stage_training, "StudentSearcher", Searcher)
    monkeypatch.setattr(engine, "recorded_transfer", lambda folder: ["earlier"])
    train = {"epochs": 1, "lr": {"loguniform": [1e-4, 1e-1]}}
    search = {"algorithm": "random", "scheduler": "none", "trials": 2}
    searched = space(train=train, search=search, baseline={"trials": 2})
    run_search(searched)
    assert received == [(type(searched), ["earlier"]), (BaselineSpace, [])]
